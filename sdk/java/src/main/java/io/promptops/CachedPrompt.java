package io.promptops;

import java.time.Duration;

/**
 * A cached copy of a prompt.
 *
 * @param etag null if the server sent none
 * @param position in the change feed; null if the server sent none
 * @param confirmedAt when the server last confirmed it, of System.nanoTime
 */
record CachedPrompt(FullPrompt fullPrompt, String etag, FeedPosition position, long confirmedAt) {
    /**
     * Returns the prompt; `confirmed` is when the server last confirmed all copies, of System.nanoTime, or
     * null.
     */
    Prompt toPrompt(String subject, Source source, Long confirmed) {
        return fullPrompt.toPrompt(subject, source, position == null ? null : position.revision(), age(confirmed));
    }

    Duration age(Long confirmed) {
        long now = System.nanoTime();
        long own = now - confirmedAt;
        return Duration.ofNanos(confirmed == null ? own : Math.min(own, now - confirmed));
    }

    /** Returns the copy after a 304; like any fetch, it draws the variant. */
    CachedPrompt confirmed(FeedPosition at) {
        return new CachedPrompt(fullPrompt.redrawn(), etag, at == null ? position : at, System.nanoTime());
    }

    /** Whether the later copy, which arrived after this one, may replace it. */
    boolean yieldsTo(CachedPrompt later) {
        return position == null || later.position == null || !later.position.isBefore(position);
    }
}
