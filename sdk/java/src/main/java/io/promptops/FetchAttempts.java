package io.promptops;

import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** The attempts of one fetch, within its deadline. */
final class FetchAttempts {
    private static final long SHORTEST_PAUSE = 50;
    private static final long LONGEST_PAUSE = 150;

    private final Closing closing;
    private final long deadline;
    private int left;

    FetchAttempts(FetchReason reason, Closing closing, long deadline) {
        this.left = reason.maxAttempts();
        this.closing = closing;
        this.deadline = deadline;
    }

    /** Pauses and returns true; returns false immediately if no other attempt is possible. */
    boolean pauseBeforeAnother() {
        long pause = ThreadLocalRandom.current().nextLong(SHORTEST_PAUSE, LONGEST_PAUSE + 1);
        long nanoseconds = TimeUnit.MILLISECONDS.toNanos(pause);
        left--;
        if (left <= 0 || System.nanoTime() + nanoseconds - deadline >= 0) {
            return false;
        }
        closing.pause(nanoseconds);
        return true;
    }
}
