package io.promptops;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;

/**
 * The prompts that are due for a refetch, and the applied position of the feed. Guarded by its owner's lock.
 */
final class Progress {
    private final Map<String, Due> due = new LinkedHashMap<>();
    private FeedPosition applied;
    private FeedPosition received;
    // False between the hello of another epoch and the resync that follows, and without a hello.
    private boolean isInStep;

    /** A prompt that is due; each key has at most one entry. */
    static final class Due {
        final String key;
        /** The type of the newest event; null after a resync. */
        String type;
        /** The position that the refetch requires. */
        FeedPosition newest;
        final Backoff backoff = Backoff.reconnecting();
        boolean isRunning;
        /** The scheduled refetch; null before the first. */
        Future<?> next;
        // The oldest revision that is not applied while it is due.
        private long first;
        private boolean isOfResync;

        private Due(String key, String type, FeedPosition newest) {
            this.key = key;
            this.type = type;
            this.first = newest.revision();
            this.newest = newest;
        }

        private void resync(FeedPosition position) {
            first = position.revision();
            newest = position;
            isOfResync = true;
        }
    }

    /** The applied position; null if unknown. */
    FeedPosition applied() {
        return applied;
    }

    /** The position that the connection has received; null before its first message. */
    FeedPosition received() {
        return received;
    }

    /** Handles a new connection: the server sends the changes after `applied`, or a resync. */
    void connected(String epoch) {
        isInStep = applied != null && applied.epoch().equals(epoch);
        received = isInStep ? applied : new FeedPosition(epoch, 0);
    }

    /** Handles a connection to an older server, which resends nothing: all these keys are due. */
    void connectedWithoutHello(Collection<String> keys) {
        resync(FeedPosition.own(), keys);
        isInStep = false;
    }

    void receive(long revision) {
        received = new FeedPosition(received.epoch(), Math.max(received.revision(), revision));
    }

    Due get(String key) {
        return due.get(key);
    }

    /** All due entries. */
    List<Due> allDue() {
        return List.copyOf(due.values());
    }

    /** Makes the key due for an event; events that wait together cause one refetch. */
    Due add(String key, String type, long revision) {
        FeedPosition newest = new FeedPosition(received.epoch(), revision);
        Due waiting = due.computeIfAbsent(key, k -> new Due(key, type, newest));
        if (!waiting.newest.reaches(newest) || !waiting.newest.epoch().equals(newest.epoch())) {
            waiting.newest = newest;
        }
        waiting.type = type;
        return waiting;
    }

    /** Makes all these keys due at this position; keys that an event made due keep their notification. */
    void resync(FeedPosition position, Collection<String> keys) {
        received = position;
        isInStep = true;
        due.values().removeIf(entry -> entry.type == null && !keys.contains(entry.key));
        keys.forEach(key -> due.computeIfAbsent(key, k -> new Due(key, null, position)));
        due.values().forEach(entry -> entry.resync(position));
    }

    /** Makes the key due because its copy is older than the position that was applied or received. */
    Due addOutdated(String key, FeedPosition newest) {
        return due.computeIfAbsent(key, k -> new Due(key, null, newest));
    }

    /** Completes the entry; returns whether the refetch reached the required position. */
    boolean finish(Due finished, FeedPosition reached) {
        return reached.reaches(finished.newest) && due.remove(finished.key, finished);
    }

    void remove(String key) {
        due.remove(key);
    }

    /** Whether everything received is applied. */
    boolean isComplete() {
        return isInStep && due.isEmpty();
    }

    /** Advances `applied` to the last revision before which everything is applied. */
    void advance() {
        if (!isInStep || due.values().stream().anyMatch(entry -> entry.isOfResync)) {
            return;
        }
        long first = due.values().stream().mapToLong(entry -> entry.first).min().orElse(Long.MAX_VALUE);
        FeedPosition reached = new FeedPosition(received.epoch(), Math.min(first - 1, received.revision()));
        if (applied == null || !applied.epoch().equals(reached.epoch()) || applied.isBefore(reached)) {
            applied = reached;
        }
    }
}
