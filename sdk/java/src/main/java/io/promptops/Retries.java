package io.promptops;

import java.util.Collection;
import java.util.function.Consumer;

/** When what is due is fetched, again where that failed. Guarded by its owner's lock. */
final class Retries {
    private final Workers workers;
    private final Consumer<String> refetch;
    // Of all keys together: a token is refused for all of them.
    private final Backoff refusals = Backoff.refused();
    private boolean isFailing;
    private boolean isRefused;
    private long roundEnds;

    Retries(Workers workers, Consumer<String> refetch) {
        this.workers = workers;
        this.refetch = refetch;
    }

    /** Ends the pause of this one. */
    void now(Progress.Due due) {
        after(due, 0);
    }

    /** Ends all pauses: the server is another one, or answers again. */
    void now(Collection<Progress.Due> all) {
        isRefused = false;
        all.forEach(this::now);
    }

    /** After a failure. */
    void later(Progress.Due due) {
        isFailing = true;
        after(due, due.backoff.next());
    }

    /**
     * After a refusal: whatever is refused in one round is tried again at its end. Answers whether this
     * one begins a round.
     */
    boolean muchLater(Progress.Due due) {
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

    /** A refetch succeeded. Answers whether it is the first one after failures. */
    boolean succeeded() {
        boolean wasFailing = isFailing;
        isFailing = false;
        refusals.reset();
        return wasFailing;
    }

    private void after(Progress.Due due, long nanoseconds) {
        if (due.isRunning) {
            // Its end sees what has changed meanwhile.
            return;
        }
        if (due.next != null) {
            due.next.cancel(false);
        }
        due.next = workers.runAfter(nanoseconds, () -> refetch.accept(due.key));
    }
}
