package io.promptops;

import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** The tries of one fetch, within its deadline. */
final class Tries {
    private static final long SHORTEST_PAUSE = 50;
    private static final long LONGEST_PAUSE = 150;

    private final Closing closing;
    private final long deadline;
    private int left;

    Tries(Asker asker, Closing closing, long deadline) {
        this.left = asker.tries();
        this.closing = closing;
        this.deadline = deadline;
    }

    /** Pauses, and returns true; returns false at once where no other try fits. */
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
