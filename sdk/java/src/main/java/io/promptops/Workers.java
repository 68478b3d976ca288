package io.promptops;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Daemon threads for one kind of work, up to a maximum; they start when there is work. */
final class Workers {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final ScheduledThreadPoolExecutor executor;

    Workers(String name, int most) {
        executor = new ScheduledThreadPoolExecutor(most, work -> thread(name, work));
        executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        executor.setRemoveOnCancelPolicy(true);
    }

    void run(Runnable work) {
        runAfter(0, work);
    }

    /**
     * Runs the work after so many nanoseconds, unless the client is closed by then or the work is cancelled.
     */
    Future<?> runAfter(long nanoseconds, Runnable work) {
        try {
            return executor.schedule(() -> runLogged(work), nanoseconds, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException closed) {
            LOGGER.log(System.Logger.Level.DEBUG, "the client is closed, nothing is done any more");
            return new FutureTask<>(work, null);
        }
    }

    /** Starts no more work, and interrupts running work, unless it is the work that closes the client. */
    void close() {
        if (threads.contains(Thread.currentThread())) {
            executor.shutdown();
        } else {
            executor.shutdownNow();
        }
    }

    /**
     * Waits for all threads except the current one, until the deadline of System.nanoTime. Returns whether
     * the waiting thread was interrupted; it continues to wait.
     */
    boolean join(long deadline) {
        boolean isInterrupted = false;
        for (Thread thread : threads) {
            while (thread != Thread.currentThread() && thread.isAlive() && deadline - System.nanoTime() > 0) {
                try {
                    thread.join(TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()) + 1);
                } catch (InterruptedException interrupted) {
                    isInterrupted = true;
                }
            }
        }
        return isInterrupted;
    }

    private Thread thread(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        threads.add(thread);
        return thread;
    }

    private static void runLogged(Runnable work) {
        try {
            work.run();
        } catch (Throwable error) {
            // Other work continues after any error.
            LOGGER.log(System.Logger.Level.ERROR, "work in the background failed", error);
        }
    }
}
