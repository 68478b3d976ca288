package io.promptops;

import java.util.function.Supplier;

/** The last failure to fetch a prompt, and the fallback until the next attempt. */
final class Failure {
    private final PromptOpsException error;
    private final Backoff backoff;
    private final long at = System.nanoTime();
    private final long pause;
    private boolean isLookedUp;
    private DiskCache.Saved fallback;

    /** The pause grows with each failure in a row; `previous` may be null. */
    Failure(Failure previous, PromptOpsException error) {
        this.error = error;
        this.backoff = previous == null ? Backoff.failing() : previous.backoff;
        this.pause = backoff.next();
    }

    PromptOpsException error() {
        return error;
    }

    /** The nanoseconds since the failure. */
    long age() {
        return System.nanoTime() - at;
    }

    boolean isPausing() {
        return age() < pause;
    }

    /** Returns the fallback, which is looked up once; null if there is none. */
    synchronized DiskCache.Saved fallback(Supplier<DiskCache.Saved> lookUp) {
        if (!isLookedUp) {
            fallback = lookUp.get();
            isLookedUp = true;
        }
        return fallback;
    }
}
