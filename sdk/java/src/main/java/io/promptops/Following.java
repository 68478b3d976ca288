package io.promptops;

import io.promptops.internal.net.WebSocket;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps what is held up to date with what the server's events tell. Fetches in the threads of the
 * workers; events come in the watch's.
 */
final class Following implements PromptStore.Observer {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final PromptStore store;
    private final Workers workers;
    private final Closing closing;
    private final Listeners listeners;
    private final Reports reports;
    private final ReentrantLock lock = new ReentrantLock();
    private final Progress progress = new Progress();
    // Also read without the lock, by every call for a prompt.
    private volatile Position heard;
    private volatile Long confirmedAt;

    Following(PromptStore store, Workers workers, Closing closing, Listeners listeners) {
        this.store = store;
        this.workers = workers;
        this.closing = closing;
        this.listeners = listeners;
        this.reports = new Reports(workers, store::heldKeys, this::applied);
    }

    /** From where on the server shall tell changes; null where everything is to be resynced. */
    Position since() {
        return applied();
    }

    /** A connection stands; the hello may be a late one. */
    void connected(Event.Hello hello, WebSocket socket) {
        boolean isNew = heard == null;
        lock.lock();
        try {
            progress.connected(hello.epoch());
            heard = progress.heard();
            reports.connected(socket, hello.epoch());
            progress.keys().forEach(this::schedule);
        } finally {
            lock.unlock();
        }
        if (isNew) {
            listeners.tellConnect();
        }
    }

    /** A connection stands to a server of before, which wants no reports. */
    void connectedUngreeted() {
        lock.lock();
        try {
            progress.connectedUngreeted(store.concernedKeys());
            heard = progress.heard();
            progress.keys().forEach(this::schedule);
        } finally {
            lock.unlock();
        }
        listeners.tellConnect();
    }

    /** The connection has ended, if there was any: what is due waits for the next one. */
    void disconnected() {
        reports.disconnected();
        if (heard != null) {
            heard = null;
            listeners.tellDisconnect();
        }
    }

    /** What the server said on a connection that stands. */
    void take(Event event) {
        lock.lock();
        try {
            boolean isWorthTelling = true;
            if (event instanceof Event.Changed change) {
                isWorthTelling = takeChange(change);
            } else if (event instanceof Event.Unnumbered change) {
                takeUnnumbered(change);
            } else if (event instanceof Event.Heartbeat heartbeat) {
                progress.hear(heartbeat.revision());
            } else if (event instanceof Event.Resync resync) {
                progress.resync(new Position(resync.epoch(), resync.revision()), store.concernedKeys());
                reports.resynced(resync.epoch());
                progress.keys().forEach(this::schedule);
            }
            heard = progress.heard();
            if (progress.isComplete()) {
                confirmedAt = System.nanoTime();
            }
            progress.advance();
            if (isWorthTelling) {
                reports.appliedChanged();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Position heard() {
        return heard;
    }

    @Override
    public Long confirmedAt() {
        return confirmedAt;
    }

    @Override
    public void holdingChanged() {
        reports.holdingChanged();
    }

    @Override
    public void refused(ResponseException error) {
        listeners.tellError(error);
    }

    @Override
    public void changed(String key, Held now) {
        lock.lock();
        try {
            if (now == null) {
                tell(key, Update.DELETED, null);
                return;
            }
            Progress.Due due = progress.get(key);
            // Else it is told when the refetch for its event has ended.
            if (due == null || due.type == null) {
                tell(key, Update.REFRESHED, now);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void fetched(String key, Held now, Position heardBefore) {
        lock.lock();
        try {
            // No event will tell of what came before there.
            Position floor = heardBefore == null ? progress.applied() : heardBefore;
            if (floor != null && now.position() != null && now.position().isBefore(floor)) {
                progress.addBehind(key, floor);
                schedule(key);
            }
        } finally {
            lock.unlock();
        }
    }

    private Position applied() {
        lock.lock();
        try {
            return progress.applied();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Whether it is dealt with now, and is of a prompt that is held: the server shall know then. Else it
     * is told with the next refetch or heartbeat.
     */
    private boolean takeChange(Event.Changed change) {
        Position at = new Position(progress.heard().epoch(), change.revision());
        progress.hear(change.revision());
        Held copy = store.held(change.key());
        if (copy != null && includes(copy.position(), at)) {
            return true;
        }
        if (change.type().equals(Update.DELETED)) {
            takeDeletion(change);
            return copy != null;
        }
        makeDueIfConcerned(change);
        return false;
    }

    /** Whatever its type, the server knows what is so now. */
    private void takeUnnumbered(Event.Unnumbered change) {
        long number = progress.heard().revision() + 1;
        progress.hear(number);
        makeDueIfConcerned(new Event.Changed(change.type(), change.key(), number));
    }

    private void makeDueIfConcerned(Event.Changed change) {
        String key = change.key();
        if (store.held(key) != null || store.isFetching(key) || listeners.wantUpdates()) {
            makeDue(change);
        }
    }

    private static boolean includes(Position position, Position other) {
        return position != null && position.epoch().equals(other.epoch()) && position.reaches(other);
    }

    private void takeDeletion(Event.Changed change) {
        boolean wasHeld = store.forget(change.key());
        if (store.isFetching(change.key())) {
            // Its answer may be from before.
            makeDue(change);
        } else {
            progress.remove(change.key());
        }
        if (wasHeld) {
            tell(change.key(), change.type(), null);
        }
    }

    private void makeDue(Event.Changed change) {
        progress.add(change.key(), change.type(), change.revision());
        schedule(change.key());
    }

    private void schedule(String key) {
        workers.run(() -> refetch(key));
    }

    private void refetch(String key) {
        Progress.Due due;
        Position asked;
        lock.lock();
        try {
            due = progress.get(key);
            if (due == null || due.isRunning || heard == null || closing.isClosed()) {
                return;
            }
            due.isRunning = true;
            asked = due.newest;
        } finally {
            lock.unlock();
        }
        Held fetched = null;
        try {
            Held known = store.held(key);
            // A copy of then or later need not be fetched, also after a resync.
            boolean isHere = known != null && includes(known.position(), asked);
            fetched = isHere ? known : store.refetch(key, asked);
        } catch (NotFoundException gone) {
            LOGGER.log(System.Logger.Level.DEBUG, "prompt '" + key + "' is gone");
            finish(due, asked, asked, null);
            return;
        } catch (PromptOpsException error) {
            LOGGER.log(System.Logger.Level.DEBUG, "prompt '" + key + "' was not refreshed", error);
        }
        if (fetched == null) {
            tryAgain(due);
        } else {
            finish(due, asked, fetched.position() == null ? asked : fetched.position(), fetched);
        }
    }

    private void finish(Progress.Due due, Position asked, Position reached, Held fetched) {
        lock.lock();
        try {
            due.isRunning = false;
            // An event that came meanwhile is a refetch of its own, unless this one has brought it too.
            boolean isOfNewest = due.newest.equals(asked) || includes(reached, due.newest);
            if (isOfNewest && progress.finish(due, reached)) {
                if (fetched != null && due.type != null) {
                    tell(due.key, due.type, fetched);
                }
                progress.advance();
                reports.appliedChanged();
            } else if (!isOfNewest) {
                schedule(due.key);
            } else {
                tryAgain(due);
            }
        } finally {
            lock.unlock();
        }
    }

    private void tryAgain(Progress.Due due) {
        lock.lock();
        try {
            due.isRunning = false;
            workers.runAfter(due.backoff.next(), () -> refetch(due.key));
        } finally {
            lock.unlock();
        }
    }

    private void tell(String key, String type, Held now) {
        if (listeners.wantUpdates()) {
            Optional<Prompt> prompt = Optional.ofNullable(now).map(copy -> copy.answer(null, Source.MEMORY, null));
            listeners.tellUpdate(new Update(key, type, prompt));
        }
    }
}
