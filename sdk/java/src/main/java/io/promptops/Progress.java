package io.promptops;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;

/**
 * Which prompts are due to be fetched again, and up to where the feed of changes has been applied.
 * Guarded by its owner's lock.
 */
final class Progress {
    private final Map<String, Due> due = new LinkedHashMap<>();
    private Position applied;
    private Position heard;
    // Not between a hello of another epoch and the resync that must follow, nor without a hello.
    private boolean isInStep;

    /** A prompt that is due; each key has at most one. */
    static final class Due {
        final String key;
        /** The newest event's; null for what a resync brought. */
        String type;
        /** The refetch must reach it. */
        Position newest;
        final Backoff backoff = Backoff.reconnecting();
        boolean isRunning;
        /** The refetch that is planned; null before the first. */
        Future<?> next;
        // No position before this one is applied while it is due.
        private long first;
        private boolean isOfResync;

        private Due(String key, String type, Position newest) {
            this.key = key;
            this.type = type;
            this.first = newest.revision();
            this.newest = newest;
        }

        private void resync(Position position) {
            first = position.revision();
            newest = position;
            isOfResync = true;
        }
    }

    /** Up to where everything is applied; null where that is not known. */
    Position applied() {
        return applied;
    }

    /** Up to where the connection has told everything; null until the first word of it. */
    Position heard() {
        return heard;
    }

    /** A connection stands; the server tells what came after `applied`, or resyncs. */
    void connected(String epoch) {
        isInStep = applied != null && applied.epoch().equals(epoch);
        heard = isInStep ? applied : new Position(epoch, 0);
    }

    /** To a server of before, which can't tell what was missed: all these keys are due. */
    void connectedUngreeted(Collection<String> keys) {
        resync(Position.own(), keys);
        isInStep = false;
    }

    void hear(long revision) {
        heard = new Position(heard.epoch(), Math.max(heard.revision(), revision));
    }

    Due get(String key) {
        return due.get(key);
    }

    /** All that are due. */
    List<Due> all() {
        return List.copyOf(due.values());
    }

    /** An event makes the key due; with one that waits already it is one refetch. */
    Due add(String key, String type, long revision) {
        Position newest = new Position(heard.epoch(), revision);
        Due known = due.computeIfAbsent(key, k -> new Due(key, type, newest));
        if (!known.newest.reaches(newest) || !known.newest.epoch().equals(newest.epoch())) {
            known.newest = newest;
        }
        known.type = type;
        return known;
    }

    /** Everything that is held is due, as of there, and what an event made due still has to be told. */
    void resync(Position position, Collection<String> keys) {
        heard = position;
        isInStep = true;
        due.values().removeIf(each -> each.type == null && !keys.contains(each.key));
        keys.forEach(key -> due.computeIfAbsent(key, k -> new Due(key, null, position)));
        due.values().forEach(each -> each.resync(position));
    }

    /** A copy came that is older than what was applied or heard before. */
    Due addBehind(String key, Position newest) {
        return due.computeIfAbsent(key, k -> new Due(key, null, newest));
    }

    /** Whether the refetch dealt with it: not where the answer was of an older state. */
    boolean finish(Due done, Position reached) {
        return reached.reaches(done.newest) && due.remove(done.key, done);
    }

    void remove(String key) {
        due.remove(key);
    }

    /** Whether all that was heard is applied. */
    boolean isComplete() {
        return isInStep && due.isEmpty();
    }

    /** Moves `applied` as far as everything before is dealt with. */
    void advance() {
        if (!isInStep || due.values().stream().anyMatch(each -> each.isOfResync)) {
            return;
        }
        long first = due.values().stream().mapToLong(each -> each.first).min().orElse(Long.MAX_VALUE);
        Position reached = new Position(heard.epoch(), Math.min(first - 1, heard.revision()));
        if (applied == null || !applied.epoch().equals(reached.epoch()) || applied.isBefore(reached)) {
            applied = reached;
        }
    }
}
