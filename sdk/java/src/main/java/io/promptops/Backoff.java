package io.promptops;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Exponential backoff with jitter: each pause is random between a minimum and the ceiling, so that clients
 * that lost the same server do not reconnect at the same moment. The ceiling doubles with each pause. Not
 * safe between threads.
 *
 * <p>Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
 */
final class Backoff {
    private final long initial;
    private final long longest;
    private final long shortest;
    private long ceiling;

    private Backoff(Duration shortest, Duration initial, Duration longest) {
        this.shortest = shortest.toNanos();
        this.initial = initial.toNanos();
        this.longest = longest.toNanos();
        this.ceiling = this.initial;
    }

    /** After a lost connection, or a refetch that failed. */
    static Backoff reconnecting() {
        return new Backoff(Duration.ZERO, Duration.ofMillis(500), Duration.ofSeconds(10));
    }

    /** After a refusal: a token rarely becomes valid by itself. */
    static Backoff refused() {
        return new Backoff(Duration.ofSeconds(10), Duration.ofSeconds(30), Duration.ofMinutes(5));
    }

    /** After a fetch that failed. */
    static Backoff failing() {
        return new Backoff(Duration.ofMillis(500), Duration.ofSeconds(1), Duration.ofSeconds(30));
    }

    /** The next pause, in nanoseconds. */
    long next() {
        long pause = ThreadLocalRandom.current().nextLong(Math.min(shortest, ceiling - 1), ceiling);
        ceiling = Math.min(ceiling * 2, longest);
        return pause;
    }

    /** Starts again, after a success. */
    void reset() {
        ceiling = initial;
    }
}
