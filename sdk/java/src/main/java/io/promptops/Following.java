package io.promptops;

import io.promptops.internal.net.WebSocket;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps what is held up to date with what the server's events tell. Fetches in the threads of the
 * workers; events come in the watch's.
 */
final class Following implements PromptStore.Observer {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private static final String GONE = "";

    private final PromptStore store;
    private final Closing closing;
    private final Listeners listeners;
    private final Reports reports;
    private final Retries retries;
    private final ReentrantLock lock = new ReentrantLock();
    private final Progress progress = new Progress();
    // What listeners were last told of each key, as JSON: a caller may have brought another copy meanwhile.
    private final Map<String, String> told = new HashMap<>();
    // Also read without the lock, by every call for a prompt.
    private volatile Position heard;
    private volatile Long confirmedAt;
    private volatile boolean isWatching;

    Following(PromptStore store, Threads threads, Closing closing, Listeners listeners) {
        this.store = store;
        this.closing = closing;
        this.listeners = listeners;
        this.reports = new Reports(threads.reporting(), store::heldKeys, this::applied);
        this.retries = new Retries(threads.fetching(), this::refetch);
    }

    /** From where on the server shall tell changes; null where everything is to be resynced. */
    Position since() {
        return applied();
    }

    /** Connections are tried from now on. */
    void begun() {
        isWatching = true;
    }

    /** A connection stands; the hello may be a late one. */
    void connected(Event.Hello hello, WebSocket socket) {
        if (heard == null) {
            // Before anything that the connection brings.
            listeners.tellConnect();
        }
        store.greeted(true);
        lock.lock();
        try {
            progress.connected(hello.epoch());
            heard = progress.heard();
            reports.connected(socket, hello.epoch());
            retries.now(progress.all());
        } finally {
            lock.unlock();
        }
    }

    /** A connection stands to a server of before, which wants no reports. */
    void connectedUngreeted() {
        store.greeted(false);
        listeners.tellConnect();
        lock.lock();
        try {
            progress.connectedUngreeted(store.concernedKeys());
            heard = progress.heard();
            retries.now(progress.all());
        } finally {
            lock.unlock();
        }
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
                hear(heartbeat.revision());
            } else if (event instanceof Event.Resync resync) {
                progress.resync(new Position(resync.epoch(), resync.revision()), store.concernedKeys());
                heard = progress.heard();
                reports.resynced(resync.epoch());
                retries.now(progress.all());
            } else {
                // What says nothing confirms nothing.
                return;
            }
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
    public boolean isLost() {
        return isWatching && heard == null;
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
            // Else it is told when the refetch for its event has ended, or its event was faster than this.
            if ((due == null || due.type == null) && !isTold(key, now)) {
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
                retries.now(progress.addBehind(key, floor));
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
        hear(change.revision());
        Held copy = store.held(change.key());
        if (copy != null && includes(copy.position(), at)) {
            if (!isTold(change.key(), copy) && !change.type().equals(Update.DELETED)) {
                tell(change.key(), change.type(), copy);
            }
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
        hear(number);
        makeDueIfConcerned(new Event.Changed(change.type(), change.key(), number));
    }

    /** At once, so that a fetch which begins from now on knows of it. */
    private void hear(long revision) {
        progress.hear(revision);
        heard = progress.heard();
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
        // One that runs may answer from before; it may end or begin while this forgets.
        boolean mayComeBack = store.isFetching(change.key());
        if (mayComeBack) {
            store.demand(change.key(), new Position(progress.heard().epoch(), change.revision()));
        }
        boolean wasHeld = store.forget(change.key());
        if (mayComeBack || store.isFetching(change.key())) {
            makeDue(change);
        } else {
            progress.remove(change.key());
        }
        if (wasHeld) {
            tell(change.key(), change.type(), null);
        }
    }

    private void makeDue(Event.Changed change) {
        retries.now(progress.add(change.key(), change.type(), change.revision()));
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
        try {
            Held known = store.held(key);
            // A copy of then or later need not be fetched, also after a resync.
            boolean isHere = known != null && includes(known.position(), asked);
            Held fetched = isHere ? known : store.refetch(key, asked);
            finish(due, asked, fetched.position() == null ? asked : fetched.position(), fetched);
        } catch (NotFoundException gone) {
            LOGGER.log(System.Logger.Level.DEBUG, "prompt '" + key + "' is gone");
            finish(due, asked, asked, null);
        } catch (UnauthorizedException | ForbiddenException refused) {
            failed(due, asked, refused);
        } catch (RuntimeException | Error error) {
            System.Logger.Level level =
                    error instanceof PromptOpsException ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING;
            LOGGER.log(level, "prompt '" + key + "' was not refreshed", error);
            failed(due, asked, null);
        }
    }

    private void finish(Progress.Due due, Position asked, Position reached, Held fetched) {
        lock.lock();
        try {
            due.isRunning = false;
            if (progress.get(due.key) != due) {
                // It was deleted meanwhile, or is due anew.
                return;
            }
            // An event that came meanwhile is a refetch of its own, unless this one has brought it too.
            boolean isOfNewest = due.newest.equals(asked) || includes(reached, due.newest);
            if (!isOfNewest) {
                retries.now(due);
            } else if (progress.finish(due, reached)) {
                dealtWith(due, fetched);
            } else {
                retries.later(due);
                return;
            }
            if (retries.succeeded()) {
                retries.now(progress.all());
            }
        } finally {
            lock.unlock();
        }
    }

    private void dealtWith(Progress.Due due, Held fetched) {
        if (fetched != null && due.type != null) {
            // Made anew after its deletion, for which an event of its own comes.
            boolean isBack = due.type.equals(Update.DELETED);
            tell(due.key, isBack ? Update.REFRESHED : due.type, fetched);
        } else if (fetched != null && told.containsKey(due.key) && !isTold(due.key, fetched)) {
            // No event will come any more for what a resync stands for.
            tell(due.key, Update.REFRESHED, fetched);
        }
        progress.advance();
        reports.appliedChanged();
    }

    /** The refusal is null where it failed otherwise. */
    private void failed(Progress.Due due, Position asked, ResponseException refusal) {
        lock.lock();
        try {
            due.isRunning = false;
            if (progress.get(due.key) != due) {
                return;
            }
            if (!due.newest.equals(asked)) {
                retries.now(due);
            } else if (refusal == null) {
                retries.later(due);
            } else if (retries.muchLater(due)) {
                listeners.tellError(refusal);
            }
        } finally {
            lock.unlock();
        }
    }

    private boolean isTold(String key, Held copy) {
        return copy.whole().json().equals(told.get(key));
    }

    private void tell(String key, String type, Held now) {
        if (listeners.wantUpdates()) {
            told.put(key, now == null ? GONE : now.whole().json());
            Optional<Prompt> prompt = Optional.ofNullable(now).map(copy -> copy.answer(null, Source.MEMORY, null));
            listeners.tellUpdate(new Update(key, type, prompt));
        }
    }
}
