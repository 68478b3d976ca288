package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ThrottledTest {
    private static final int INTERVAL = 100;

    private final Threads threads = new Threads();

    @AfterEach
    void close() {
        threads.close(5000);
    }

    @Test
    void workRequestedWhileItRunsRunsAgainAfterTheInterval() {
        CountDownLatch released = new CountDownLatch(1);
        AtomicInteger running = new AtomicInteger();
        BlockingQueue<Long> starts = new LinkedBlockingQueue<>();
        BlockingQueue<Long> ended = new LinkedBlockingQueue<>();
        BlockingQueue<Integer> atOnce = new LinkedBlockingQueue<>();
        Throttled throttled = new Throttled(threads.fetching(), INTERVAL, () -> {
            atOnce.add(running.incrementAndGet());
            starts.add(System.nanoTime());
            CloseTest.awaitQuietly(released);
            running.decrementAndGet();
            ended.add(System.nanoTime());
            return true;
        });
        throttled.request();
        Await.next(starts);
        for (int number = 0; number < 10; number++) {
            throttled.request();
        }
        released.countDown();

        long end = Await.next(ended);
        long again = Await.next(starts);

        assertTrue(again - end >= TimeUnit.MILLISECONDS.toNanos(INTERVAL) * 9 / 10);
        assertEquals(1, Await.next(atOnce));
        assertEquals(1, Await.next(atOnce));
    }
}
