package io.promptops;

import java.util.concurrent.TimeUnit;

/** A server that hangs: it costs one time-out, not one for each key. Safe between threads. */
final class Hanging {
    private static final long LONGEST = TimeUnit.SECONDS.toNanos(30);

    // Null where the server has answered since.
    private volatile Long timedOutAt;

    /** The next caller who can be answered otherwise should not wait, too. */
    void timedOut() {
        timedOutAt = System.nanoTime();
    }

    /** The server has answered something. */
    void ended() {
        if (timedOutAt != null) {
            timedOutAt = null;
        }
    }

    boolean lasts() {
        Long at = timedOutAt;
        return at != null && System.nanoTime() - at < LONGEST;
    }
}
