package io.promptops;

import io.promptops.internal.net.WebSocket;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps cached prompts up to date with the events of the server. Events arrive in the thread of the watch;
 * the workers' threads refetch.
 */
final class SyncState implements PromptStore.Observer {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private static final String GONE = "";

    private final PromptStore store;
    private final Closing closing;
    private final Listeners listeners;
    private final Reports reports;
    private final Retries retries;
    private final ReentrantLock lock = new ReentrantLock();
    private final Progress progress = new Progress();
    // The JSON of the last notification for each key, because a caller may have fetched another copy
    // meanwhile.
    private final Map<String, String> notified = new HashMap<>();
    // Every call for a prompt reads it without the lock.
    private volatile FeedPosition feedPosition;
    private volatile Long confirmedAt;
    private volatile boolean isWatching;

    SyncState(PromptStore store, Threads threads, Closing closing, Listeners listeners) {
        this.store = store;
        this.closing = closing;
        this.listeners = listeners;
        this.reports = new Reports(threads.reporting(), store::cachedKeys, this::applied);
        this.retries = new Retries(threads.fetching(), this::refetch);
    }

    /** The position after which the server sends changes; null to resync everything. */
    FeedPosition resumePosition() {
        return applied();
    }

    /** The watch connects from now on. */
    void startWatching() {
        isWatching = true;
    }

    /** Handles a new connection; the hello may arrive late. */
    void connected(Event.Hello hello, WebSocket socket) {
        if (feedPosition == null) {
            // Notify before the first message of the connection.
            listeners.notifyConnect();
        }
        store.helloReceived(true);
        lock.lock();
        try {
            progress.connected(hello.epoch());
            feedPosition = progress.received();
            reports.connected(socket, hello.epoch());
            retries.retryNow(progress.allDue());
        } finally {
            lock.unlock();
        }
    }

    /** Handles a connection to an older server, which needs no reports. */
    void connectedWithoutHello() {
        store.helloReceived(false);
        listeners.notifyConnect();
        lock.lock();
        try {
            progress.connectedWithoutHello(store.relevantKeys());
            feedPosition = progress.received();
            retries.retryNow(progress.allDue());
        } finally {
            lock.unlock();
        }
    }

    /** Handles the end of the connection, if there was one; due keys wait for the next one. */
    void disconnected() {
        reports.disconnected();
        if (feedPosition != null) {
            feedPosition = null;
            listeners.notifyDisconnect();
        }
    }

    /** Handles a message of the server. */
    void handleEvent(Event event) {
        lock.lock();
        try {
            boolean changesApplied = true;
            if (event instanceof Event.Changed change) {
                changesApplied = handleChange(change);
            } else if (event instanceof Event.Unnumbered change) {
                handleUnnumbered(change);
            } else if (event instanceof Event.Heartbeat heartbeat) {
                receive(heartbeat.revision());
            } else if (event instanceof Event.Resync resync) {
                progress.resync(new FeedPosition(resync.epoch(), resync.revision()), store.relevantKeys());
                feedPosition = progress.received();
                reports.resynced(resync.epoch());
                retries.retryNow(progress.allDue());
            } else {
                // An unknown message confirms nothing.
                return;
            }
            if (progress.isComplete()) {
                confirmedAt = System.nanoTime();
            }
            progress.advance();
            if (changesApplied) {
                reports.appliedChanged();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public FeedPosition feedPosition() {
        return feedPosition;
    }

    @Override
    public boolean isDisconnected() {
        return isWatching && feedPosition == null;
    }

    @Override
    public Long confirmedAt() {
        return confirmedAt;
    }

    @Override
    public void cachedKeysChanged() {
        reports.cachedKeysChanged();
    }

    @Override
    public void tokenRefused(ResponseException error) {
        listeners.notifyError(error);
    }

    @Override
    public void copyChanged(String key, CachedPrompt current) {
        lock.lock();
        try {
            if (current == null) {
                notifyListeners(key, Update.DELETED, null);
                return;
            }
            Progress.Due due = progress.get(key);
            // Otherwise listeners are notified after the refetch for the event, or were notified already.
            if ((due == null || due.type == null) && !wasNotified(key, current)) {
                notifyListeners(key, Update.REFRESHED, current);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void copyAdded(String key, CachedPrompt current, FeedPosition positionAtStart) {
        lock.lock();
        try {
            // No event covers the changes before this position.
            FeedPosition floor = positionAtStart == null ? progress.applied() : positionAtStart;
            if (floor != null && current.position() != null && current.position().isBefore(floor)) {
                retries.retryNow(progress.addOutdated(key, floor));
            }
        } finally {
            lock.unlock();
        }
    }

    private FeedPosition applied() {
        lock.lock();
        try {
            return progress.applied();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns whether the change is applied now to a cached prompt, so that the server should know. Otherwise
     * the next refetch or heartbeat reports it.
     */
    private boolean handleChange(Event.Changed change) {
        FeedPosition position = new FeedPosition(progress.received().epoch(), change.revision());
        receive(change.revision());
        CachedPrompt cached = store.cached(change.key());
        if (cached != null && includes(cached.position(), position)) {
            if (!wasNotified(change.key(), cached) && !change.type().equals(Update.DELETED)) {
                notifyListeners(change.key(), change.type(), cached);
            }
            return true;
        }
        if (change.type().equals(Update.DELETED)) {
            handleDeletion(change);
            return cached != null;
        }
        makeDueIfRelevant(change);
        return false;
    }

    /** Refetches, whatever the type of the event. */
    private void handleUnnumbered(Event.Unnumbered change) {
        long number = progress.received().revision() + 1;
        receive(number);
        makeDueIfRelevant(new Event.Changed(change.type(), change.key(), number));
    }

    /** Immediately, so that a fetch that begins from now on uses the position. */
    private void receive(long revision) {
        progress.receive(revision);
        feedPosition = progress.received();
    }

    private void makeDueIfRelevant(Event.Changed change) {
        String key = change.key();
        if (store.cached(key) != null || store.isFetching(key) || listeners.hasUpdateListeners()) {
            makeDue(change);
        }
    }

    private static boolean includes(FeedPosition position, FeedPosition other) {
        return position != null && position.epoch().equals(other.epoch()) && position.reaches(other);
    }

    private void handleDeletion(Event.Changed change) {
        // A running fetch may return an older state; it may end or begin during the removal.
        boolean mayComeBack = store.isFetching(change.key());
        if (mayComeBack) {
            store.requirePosition(change.key(), new FeedPosition(progress.received().epoch(), change.revision()));
        }
        boolean wasCached = store.removePrompt(change.key());
        if (mayComeBack || store.isFetching(change.key())) {
            makeDue(change);
        } else {
            progress.remove(change.key());
        }
        if (wasCached) {
            notifyListeners(change.key(), change.type(), null);
        }
    }

    private void makeDue(Event.Changed change) {
        retries.retryNow(progress.add(change.key(), change.type(), change.revision()));
    }

    private void refetch(String key) {
        Progress.Due due;
        FeedPosition required;
        lock.lock();
        try {
            due = progress.get(key);
            if (due == null || due.isRunning || feedPosition == null || closing.isClosed()) {
                return;
            }
            due.isRunning = true;
            required = due.newest;
        } finally {
            lock.unlock();
        }
        try {
            CachedPrompt cached = store.cached(key);
            // A copy at this position or a later one needs no refetch, also after a resync.
            boolean isCurrent = cached != null && includes(cached.position(), required);
            CachedPrompt fetched = isCurrent ? cached : store.refetch(key, required);
            finish(due, required, fetched.position() == null ? required : fetched.position(), fetched);
        } catch (NotFoundException error) {
            LOGGER.log(System.Logger.Level.DEBUG, "prompt '" + key + "' is gone");
            finish(due, required, required, null);
        } catch (UnauthorizedException | ForbiddenException error) {
            scheduleRetry(due, required, error);
        } catch (RuntimeException | Error error) {
            System.Logger.Level level =
                    error instanceof PromptOpsException ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING;
            LOGGER.log(level, "prompt '" + key + "' was not refreshed", error);
            scheduleRetry(due, required, null);
        }
    }

    private void finish(Progress.Due due, FeedPosition required, FeedPosition reached, CachedPrompt fetched) {
        lock.lock();
        try {
            due.isRunning = false;
            if (progress.get(due.key) != due) {
                // It was deleted meanwhile, or became due again.
                return;
            }
            // A newer event needs another refetch, unless this one already includes it.
            boolean isOfNewest = due.newest.equals(required) || includes(reached, due.newest);
            if (!isOfNewest) {
                retries.retryNow(due);
            } else if (progress.finish(due, reached)) {
                completeDue(due, fetched);
            } else {
                retries.retryLater(due);
                return;
            }
            if (retries.succeeded()) {
                retries.retryNow(progress.allDue());
            }
        } finally {
            lock.unlock();
        }
    }

    private void completeDue(Progress.Due due, CachedPrompt fetched) {
        if (fetched != null && due.type != null) {
            // It was created again after its deletion, which has its own event.
            boolean isBack = due.type.equals(Update.DELETED);
            notifyListeners(due.key, isBack ? Update.REFRESHED : due.type, fetched);
        } else if (fetched != null && notified.containsKey(due.key) && !wasNotified(due.key, fetched)) {
            // No event will arrive for the changes that a resync covers.
            notifyListeners(due.key, Update.REFRESHED, fetched);
        }
        progress.advance();
        reports.appliedChanged();
    }

    /** `refusal` is null for other failures. */
    private void scheduleRetry(Progress.Due due, FeedPosition required, ResponseException refusal) {
        lock.lock();
        try {
            due.isRunning = false;
            if (progress.get(due.key) != due) {
                return;
            }
            if (!due.newest.equals(required)) {
                retries.retryNow(due);
            } else if (refusal == null) {
                retries.retryLater(due);
            } else if (retries.retryAfterRefusal(due)) {
                listeners.notifyError(refusal);
            }
        } finally {
            lock.unlock();
        }
    }

    private boolean wasNotified(String key, CachedPrompt cached) {
        return cached.fullPrompt().json().equals(notified.get(key));
    }

    private void notifyListeners(String key, String type, CachedPrompt current) {
        if (listeners.hasUpdateListeners()) {
            notified.put(key, current == null ? GONE : current.fullPrompt().json());
            Optional<Prompt> prompt = Optional.ofNullable(current).map(cached -> cached.toPrompt(null, Source.MEMORY, null));
            listeners.notifyUpdate(new Update(key, type, prompt));
        }
    }
}
