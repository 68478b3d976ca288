package io.promptops;

import java.util.concurrent.TimeUnit;

/** Does something soon after it was asked for, but not more often than at an interval. */
final class Throttled {
    private final Workers workers;
    private final long interval;
    private final Runnable work;
    private boolean isScheduled;
    private long notBefore = System.nanoTime();

    Throttled(Workers workers, long intervalMilliseconds, Runnable work) {
        this.workers = workers;
        this.interval = TimeUnit.MILLISECONDS.toNanos(intervalMilliseconds);
        this.work = work;
    }

    synchronized void request() {
        if (!isScheduled) {
            isScheduled = true;
            workers.runAfter(Math.max(notBefore - System.nanoTime(), 0), this::run);
        }
    }

    private void run() {
        synchronized (this) {
            isScheduled = false;
            notBefore = System.nanoTime() + interval;
        }
        work.run();
    }
}
