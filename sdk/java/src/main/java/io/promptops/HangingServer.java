package io.promptops;

import java.util.concurrent.TimeUnit;

/**
 * Tracks a server that hangs, so that it costs one time-out and not one for each key. Safe between threads.
 */
final class HangingServer {
    private static final long LONGEST = TimeUnit.SECONDS.toNanos(30);

    // Null if the server has responded since.
    private volatile Long timedOutAt;

    /** Notes a time-out: the next caller with a fallback should not wait, too. */
    void recordTimeout() {
        timedOutAt = System.nanoTime();
    }

    /** Notes that the server responded. */
    void recordResponse() {
        if (timedOutAt != null) {
            timedOutAt = null;
        }
    }

    boolean isActive() {
        Long at = timedOutAt;
        return at != null && System.nanoTime() - at < LONGEST;
    }
}
