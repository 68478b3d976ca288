package io.promptops;

import java.time.Duration;

/**
 * A copy in memory.
 *
 * @param etag null where the server sent none
 * @param position of when it is; null where the server did not say
 * @param confirmedAt by the server, of System.nanoTime
 */
record Held(Whole whole, String etag, Position position, long confirmedAt) {
    /** Confirmed may be null, or when the server last confirmed all copies, of System.nanoTime. */
    Prompt answer(String subject, Source source, Long confirmed) {
        return whole.answer(subject, source, position == null ? null : position.revision(), age(confirmed));
    }

    Duration age(Long confirmed) {
        long now = System.nanoTime();
        long own = now - confirmedAt;
        return Duration.ofNanos(confirmed == null ? own : Math.min(own, now - confirmed));
    }

    /** By a fetch that found the same, and draws anew as any fetch does. */
    Held confirmed(Position at) {
        return new Held(whole.drawnAnew(), etag, at == null ? position : at, System.nanoTime());
    }

    /** Whether it may have been superseded by this one, which arrived later. */
    boolean yieldsTo(Held later) {
        return position == null || later.position == null || !later.position.isBefore(position);
    }
}
