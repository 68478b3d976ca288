package io.promptops;

import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Runs work soon after a request, but not more often than at an interval, and never twice at once. */
final class Throttled {
    private final Workers workers;
    private final long interval;
    private final BooleanSupplier work;
    private boolean isScheduled;
    private boolean isAskedAgain;
    private long notBefore = System.nanoTime();

    Throttled(Workers workers, long intervalMilliseconds, BooleanSupplier work) {
        this.workers = workers;
        this.interval = TimeUnit.MILLISECONDS.toNanos(intervalMilliseconds);
        this.work = work;
    }

    /** Requests a run; the work returns whether there was something to do. */
    synchronized void request() {
        if (isScheduled) {
            isAskedAgain = true;
            return;
        }
        isScheduled = true;
        workers.runAfter(Math.max(notBefore - System.nanoTime(), 0), this::run);
    }

    private void run() {
        synchronized (this) {
            // The run that follows covers all requests up to here.
            isAskedAgain = false;
        }
        boolean isDone = false;
        try {
            isDone = work.getAsBoolean();
        } finally {
            ended(isDone);
        }
    }

    private synchronized void ended(boolean isDone) {
        isScheduled = false;
        if (isDone) {
            notBefore = System.nanoTime() + interval;
        }
        if (isAskedAgain) {
            request();
        }
    }
}
