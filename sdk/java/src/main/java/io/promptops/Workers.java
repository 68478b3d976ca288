package io.promptops;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The few threads for work in the background; started when there is some, daemons all. */
final class Workers {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");
    private static final int MOST_THREADS = 4;

    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final ScheduledThreadPoolExecutor executor =
            new ScheduledThreadPoolExecutor(MOST_THREADS, work -> thread("promptops-worker", work));

    /** A thread besides, for work that lasts. */
    Thread thread(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        threads.add(thread);
        return thread;
    }

    void run(Runnable work) {
        runAfter(0, work);
    }

    /** Runs the work after so many nanoseconds, unless the client is closed by then. */
    void runAfter(long nanoseconds, Runnable work) {
        try {
            executor.schedule(() -> runLogged(work), nanoseconds, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException closed) {
            LOGGER.log(System.Logger.Level.DEBUG, "the client is closed, nothing is done any more");
        }
    }

    /** Ends all threads but the current one; waits at most so long for them. */
    void close(long milliseconds) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
        executor.shutdownNow();
        for (Thread each : threads) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (each != Thread.currentThread() && left > 0) {
                join(each, left);
            }
        }
    }

    private static void join(Thread thread, long milliseconds) {
        try {
            thread.join(milliseconds);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void runLogged(Runnable work) {
        try {
            work.run();
        } catch (RuntimeException error) {
            LOGGER.log(System.Logger.Level.ERROR, "work in the background failed", error);
        }
    }
}
