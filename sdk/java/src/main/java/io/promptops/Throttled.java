package io.promptops;

import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Does something soon after it was asked for, but not more often than at an interval. */
final class Throttled {
    private final Workers workers;
    private final long interval;
    private final BooleanSupplier work;
    private boolean isScheduled;
    private long notBefore = System.nanoTime();

    Throttled(Workers workers, long intervalMilliseconds, BooleanSupplier work) {
        this.workers = workers;
        this.interval = TimeUnit.MILLISECONDS.toNanos(intervalMilliseconds);
        this.work = work;
    }

    /** The work says whether there was something to do. */
    synchronized void request() {
        if (!isScheduled) {
            isScheduled = true;
            workers.runAfter(Math.max(notBefore - System.nanoTime(), 0), this::run);
        }
    }

    private void run() {
        synchronized (this) {
            isScheduled = false;
        }
        if (work.getAsBoolean()) {
            synchronized (this) {
                notBefore = System.nanoTime() + interval;
            }
        }
    }
}
