package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CloseTest {
    private final ScriptedServer server = new ScriptedServer();
    private final PromptOpsClient client =
            PromptOpsClient.builder(server.url()).maxAge(Duration.ZERO).build();

    @AfterEach
    void close() {
        client.close();
        server.close();
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("promptops"))
                .toList();
    }

    private void assertNothingLeft() {
        assertEquals(0, client.openConnections());
        Await.until(() -> threads().isEmpty());
    }

    @Test
    void sendsACloseFrameAndLeavesNothing() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 1));
        client.getPrompt("k");
        Thread watching = new Thread(client::watch);
        watching.start();
        ScriptedServer.Peer peer = server.nextPeer(1);
        assertTrue(peer.next().contains("holding"));
        client.getPrompt("k", PromptOptions.NONE.refresh());
        assertTrue(client.openConnections() > 0);

        client.close();

        assertEquals(List.of(), threads());
        assertNothingLeft();
        peer.awaitClose();
        peer.awaitGone();
        client.close();
    }

    @Test
    void interruptsCallersThatWaitForTheServer() throws InterruptedException {
        CountDownLatch requested = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        server.answer(request -> {
            requested.countDown();
            awaitQuietly(end);
            return null;
        });
        BlockingQueue<PromptOpsException> failures = new LinkedBlockingQueue<>();
        Thread caller = new Thread(() ->
                failures.add(assertThrows(PromptOpsException.class, () -> client.getPrompt("k"))));
        caller.start();
        requested.await();

        client.close();

        assertEquals(ClientClosedException.class, Await.next(failures).getClass());
        assertNothingLeft();
        end.countDown();
    }

    @Test
    void endsPausesBetweenConnections() {
        server.close();
        client.watch();
        client.close();
        assertEquals(List.of(), threads());
        assertNothingLeft();
    }

    @Test
    void isAllowedInAListener() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 1));
        CountDownLatch closed = new CountDownLatch(1);
        Thread watching = new Thread(() -> client.watch(key -> {
            client.close();
            closed.countDown();
        }));
        watching.start();
        ScriptedServer.Peer peer = server.nextPeer(0);
        peer.resync("e1", 0);
        peer.event("updated", "k", 1);
        awaitQuietly(closed);
        assertNothingLeft();
    }

    @Test
    void theListenerThatClosesIsNotInterrupted() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 1));
        BlockingQueue<Boolean> interrupted = new LinkedBlockingQueue<>();
        Thread watching = new Thread(() -> client.watch(key -> {
            client.close();
            interrupted.add(Thread.interrupted());
        }));
        watching.start();
        ScriptedServer.Peer peer = server.nextPeer(0);
        peer.resync("e1", 0);
        peer.event("updated", "k", 1);
        assertEquals(false, Await.next(interrupted));
        assertNothingLeft();
    }

    @Test
    void anInterruptedThreadClosesAsWell() throws InterruptedException {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 1));
        client.getPrompt("k");
        Thread watching = new Thread(client::watch);
        watching.start();
        ScriptedServer.Peer peer = server.nextPeer(1);
        watching.join();

        Thread.currentThread().interrupt();
        client.close();

        assertTrue(Thread.interrupted());
        assertEquals(List.of(), threads());
        peer.awaitClose();
    }

    @Test
    void theServerGetsACloseFrameEvenForAnEarlyClose() throws InterruptedException {
        for (int round = 0; round < 200; round++) {
            PromptOpsClient closing = new PromptOpsClient(server.url());
            Thread watching = new Thread(closing::watch);
            watching.start();
            ScriptedServer.Peer peer = server.nextPeer(1);
            watching.join();
            closing.close();
            peer.awaitClose();
        }
    }

    @Test
    void closeEndsTheWaitForTheFirstConnection() throws InterruptedException {
        long begin = System.nanoTime();
        for (int round = 0; round < 300; round++) {
            PromptOpsClient closing = new PromptOpsClient(server.url());
            Thread watching = new Thread(() -> {
                try {
                    closing.watch();
                } catch (ClientClosedException closedBefore) {
                    return;
                }
            });
            watching.start();
            Await.spin(round % 100 * 2000L);
            closing.close();
            watching.join();
        }
        assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(9), "one waited for the whole time-out");
    }

    @Test
    void aClientThatWasNotUsedHasNoThread() {
        assertNothingLeft();
    }

    static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
