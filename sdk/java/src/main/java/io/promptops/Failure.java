package io.promptops;

import java.util.function.Supplier;

/** The last failure to fetch a prompt, and what is answered until the server is tried again. */
final class Failure {
    private final PromptOpsException error;
    private final Backoff backoff;
    private final long at = System.nanoTime();
    private final long pause;
    private boolean isLookedUp;
    private DiskCache.Saved fallback;

    /** The pause grows with each failure in a row; the one before may be null. */
    Failure(Failure before, PromptOpsException error) {
        this.error = error;
        this.backoff = before == null ? Backoff.failing() : before.backoff;
        this.pause = backoff.next();
    }

    PromptOpsException error() {
        return error;
    }

    /** Nanoseconds since. */
    long age() {
        return System.nanoTime() - at;
    }

    boolean isPausing() {
        return age() < pause;
    }

    /** What was put aside, looked up once; null where nothing was. */
    synchronized DiskCache.Saved fallback(Supplier<DiskCache.Saved> lookUp) {
        if (!isLookedUp) {
            fallback = lookUp.get();
            isLookedUp = true;
        }
        return fallback;
    }
}
