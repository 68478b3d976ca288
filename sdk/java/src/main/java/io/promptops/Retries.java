package io.promptops;

import java.util.Collection;
import java.util.function.Consumer;

/** Schedules refetches of due keys, and repeats failed ones. Guarded by its owner's lock. */
final class Retries {
    private final Workers workers;
    private final Consumer<String> refetch;
    // Shared by all keys, because they use one token.
    private final Backoff refusals = Backoff.refused();
    private boolean isFailing;
    private boolean isRefused;
    private long roundEnds;

    Retries(Workers workers, Consumer<String> refetch) {
        this.workers = workers;
        this.refetch = refetch;
    }

    /** Ends the pause of this key. */
    void retryNow(Progress.Due due) {
        after(due, 0);
    }

    /** Ends all pauses, because the server changed or responds again. */
    void retryNow(Collection<Progress.Due> all) {
        isRefused = false;
        all.forEach(this::retryNow);
    }

    /** Schedules the retry after a failure. */
    void retryLater(Progress.Due due) {
        isFailing = true;
        after(due, due.backoff.next());
    }

    /**
     * Schedules the retry after a refusal: all keys of one round are retried at its end. Returns whether this
     * one begins a round.
     */
    boolean retryAfterRefusal(Progress.Due due) {
        long now = System.nanoTime();
        boolean isFirst = !isRefused || now - roundEnds >= 0;
        if (isFirst) {
            roundEnds = now + refusals.next();
        }
        isFailing = true;
        isRefused = true;
        after(due, roundEnds - now);
        return isFirst;
    }

    /** Records a successful refetch; returns whether it is the first one after failures. */
    boolean succeeded() {
        boolean wasFailing = isFailing;
        isFailing = false;
        refusals.reset();
        return wasFailing;
    }

    private void after(Progress.Due due, long nanoseconds) {
        if (due.isRunning) {
            // The end of the running refetch handles changes.
            return;
        }
        if (due.next != null) {
            due.next.cancel(false);
        }
        due.next = workers.runAfter(nanoseconds, () -> refetch.accept(due.key));
    }
}
