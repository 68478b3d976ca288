package io.promptops;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Answers prompts, from memory or by a fetch, else from what was put aside; safe between threads. */
final class PromptStore {
    private static final long BETWEEN_BACKGROUND_FAILURES = TimeUnit.SECONDS.toNanos(1);

    private final Fetcher fetcher;
    private final DiskCache disk;
    private final Bundle bundle;
    private final Closing closing;
    private final Workers workers;
    private final long timeout;
    private final Duration maxAge;
    private final Preload preload;
    private final Coalesced<Held> fetches = new Coalesced<>(this::fetch);
    private final ConcurrentHashMap<String, Held> held = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, Failure> failures = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, Position> demands = new ConcurrentHashMap<>();
    private final Set<String> refreshing = ConcurrentHashMap.newKeySet();
    private final FetchOutage outage = new FetchOutage();
    private volatile Observer observer;

    /** The disk cache may be null. */
    PromptStore(
            Fetcher fetcher,
            DiskCache disk,
            Bundle bundle,
            Closing closing,
            Workers workers,
            Duration timeout,
            Duration maxAge) {
        this.fetcher = fetcher;
        this.disk = disk;
        this.bundle = bundle;
        this.closing = closing;
        this.workers = workers;
        this.timeout = timeout.toNanos();
        this.maxAge = maxAge;
        this.preload = new Preload(fetcher, closing, this);
    }

    /** Who learns of what happens here. */
    interface Observer {
        /** A copy that was held was replaced by another one, or is gone: then it is null. */
        void changed(String key, Held now);

        /** A key is held that was not, or no longer. */
        void holdingChanged();

        /** The server refused the token, not of a refetch that the observer asked for. */
        void refused(ResponseException error);

        /** The server answered for a key that was not held; `heard` is what `heard` said before. */
        void fetched(String key, Held now, Position heard);

        /** How far the watch has heard; null without a connection that is well. */
        Position heard();

        /** Whether the watch has lost its connection, and has logged that. */
        boolean isLost();

        /** When the server last confirmed all copies, by saying that nothing changed; or null. */
        Long confirmedAt();
    }

    void setObserver(Observer observer) {
        this.observer = observer;
    }

    /** The answer to a call, without its default. */
    Prompt get(String key, PromptOptions options) {
        String subject = options.subject();
        boolean refresh = options.isRefresh();
        Held known = held.get(key);
        if (known != null && !refresh) {
            refreshIfOld(key, known);
            return known.answer(subject, Source.MEMORY, observer.confirmedAt());
        }
        Failure instead = refresh ? null : insteadOfServer(key, options.fallback() != null);
        if (instead != null) {
            return fallback(key, subject, instead);
        }
        long deadline = System.nanoTime() + timeout;
        try {
            Held fetched = refresh
                    ? fetches.fresh(key, Asker.REFRESHING_CALLER, deadline)
                    : fetches.join(key, Asker.CALLER, deadline);
            // The same one stays where the answer was of an older revision.
            return fetched.answer(subject, fetched == known ? Source.MEMORY : Source.SERVER, null);
        } catch (NotFoundException fact) {
            throw fact;
        } catch (PromptOpsException error) {
            Held stays = held.get(key);
            return stays == null
                    ? fallback(key, subject, failureOf(key, error))
                    : stays.answer(subject, Source.MEMORY, observer.confirmedAt());
        }
    }

    /** Has all prompts of the environment held; answers their keys, in order. Raises as a fetch does. */
    List<String> preload() {
        return preload.run(System.nanoTime() + timeout);
    }

    /** Holds what a snapshot has, unless something newer is known of it. Answers whether it is held now. */
    boolean hold(Whole whole, Position at, Position heard) {
        AtomicReference<Held> before = new AtomicReference<>();
        Held now = held.compute(whole.key(), (key, old) -> {
            before.set(old);
            if (isOlder(at, demands.get(key)) || old != null && isOlder(at, old.position())) {
                return old;
            }
            boolean isSame = old != null && old.whole().isSame(whole);
            // The ETag of the same is still right.
            return isSame ? old.confirmed(at) : new Held(whole, null, at, System.nanoTime());
        });
        if (now != null && now != before.get()) {
            succeeded(whole.key());
            tell(whole.key(), before.get(), now, heard);
        }
        return now != null;
    }

    /** A snapshot has come. */
    void snapshotCame() {
        outage.succeeded("");
    }

    /** A snapshot could not be fetched, for good. */
    void snapshotFailed(PromptOpsException error) {
        failed("", error, Asker.CALLER);
        if (error instanceof UnauthorizedException || error instanceof ForbiddenException) {
            observer.refused((ResponseException) error);
        }
    }

    /** How far the watch has heard; null without a connection that is well. */
    Position heard() {
        return observer.heard();
    }

    /** From now on no answer of before is taken, also not one that is under way. */
    void demand(String key, Position atLeast) {
        if (atLeast.isOfServer()) {
            demands.merge(key, atLeast, (known, asked) -> asked.reaches(known) ? asked : known);
        }
    }

    /** The server's copy, of this position or a later one if it knows it, which is held from now on. */
    Held refetch(String key, Position atLeast) {
        demand(key, atLeast);
        return fetches.fresh(key, Asker.WATCH, System.nanoTime() + timeout);
    }

    /** The server has greeted a watch. */
    void greeted(boolean isWithEpoch) {
        fetcher.hanging().ended();
        if (isWithEpoch) {
            fetcher.hearEpoch();
        }
    }

    /** The copy that is held, or null. */
    Held held(String key) {
        return held.get(key);
    }

    List<String> heldKeys() {
        return new ArrayList<>(held.keySet());
    }

    /** Those held, and those that may be held soon. */
    Set<String> concernedKeys() {
        Set<String> keys = new HashSet<>(held.keySet());
        fetches.runningKeys().forEach(keys::add);
        return keys;
    }

    boolean isFetching(String key) {
        return preload.isRunning() || fetches.isRunning(key);
    }

    /** The prompt is gone. Answers whether it was held. */
    boolean forget(String key) {
        succeeded(key);
        if (disk != null) {
            disk.delete(key);
        }
        boolean wasHeld = held.remove(key) != null;
        if (wasHeld) {
            observer.holdingChanged();
        }
        return wasHeld;
    }

    /** What to answer from without waiting for the server; null where it is worth the wait. */
    private Failure insteadOfServer(String key, boolean hasDefault) {
        Failure failure = failures.get(key);
        if (failure != null && isFallbackBetter(key, failure)) {
            return failure;
        }
        if (!fetcher.hanging().lasts() || closing.isClosed()) {
            return null;
        }
        Failure hang = new Failure(null, new RequestTimeoutException("the server does not answer in time", null));
        if (!hasDefault && hang.fallback(() -> saved(key)) == null) {
            return null;
        }
        refresh(key);
        return hang;
    }

    /** During the pause after a failure; after it, where there is a copy, the server is asked in the background. */
    private boolean isFallbackBetter(String key, Failure failure) {
        if (failure.isPausing()) {
            return true;
        }
        boolean isThere = failure.fallback(() -> saved(key)) != null;
        if (isThere && !closing.isClosed()) {
            refresh(key);
        }
        return isThere;
    }

    private void refreshIfOld(String key, Held known) {
        boolean old = observer.heard() == null && known.age(observer.confirmedAt()).compareTo(maxAge) > 0;
        if (!old || closing.isClosed()) {
            return;
        }
        Failure failure = failures.get(key);
        boolean justFailed = failure != null && failure.age() < BETWEEN_BACKGROUND_FAILURES;
        if (!justFailed) {
            refresh(key);
        }
    }

    private void refresh(String key) {
        if (refreshing.add(key)) {
            workers.run(() -> refreshInBackground(key));
        }
    }

    private void refreshInBackground(String key) {
        try {
            fetches.join(key, Asker.AGE, System.nanoTime() + timeout);
        } catch (PromptOpsException error) {
            // It is noted as a failure, and what is held goes on to be answered.
            return;
        } finally {
            refreshing.remove(key);
        }
    }

    private Held fetch(String key, Asker asker, long deadline) {
        Held now = asker == Asker.CALLER ? justFetched(key) : null;
        if (now != null) {
            return now;
        }
        Tries tries = new Tries(asker, closing, deadline);
        while (true) {
            try {
                return attempt(key, deadline);
            } catch (NotFoundException fact) {
                demands.remove(key);
                if (forget(key)) {
                    observer.changed(key, null);
                }
                throw fact;
            } catch (ClientClosedException closed) {
                throw closed;
            } catch (UnauthorizedException | ForbiddenException refused) {
                noteFailure(key, refused, asker);
                if (asker != Asker.WATCH) {
                    observer.refused(refused);
                }
                throw refused;
            } catch (PromptOpsException error) {
                if (!tries.pauseBeforeAnother()) {
                    noteFailure(key, error, asker);
                    throw error;
                }
            }
        }
    }

    /** What another call brought, or failed to bring, between the caller's look and its turn. */
    private Held justFetched(String key) {
        Failure failure = failures.get(key);
        if (failure != null && failure.isPausing()) {
            throw failure.error();
        }
        return held.get(key);
    }

    private Held attempt(String key, long deadline) {
        Held known = held.get(key);
        Position heard = observer.heard();
        Position demand = demands.get(key);
        Held answered = fetcher.fetch(key, known, demand, () -> copyHasEpoch(key, known), deadline);
        // Not `known`: an event may have told of its deletion meanwhile.
        AtomicReference<Held> before = new AtomicReference<>();
        Held now = held.compute(key, (k, old) -> {
            refuseOlder(answered.position(), demands.get(k));
            before.set(old);
            return old == null || old.yieldsTo(answered) ? answered : old;
        });
        if (demand != null) {
            demands.remove(key, demand);
        }
        succeeded(key);
        tell(key, before.get(), now, heard);
        return now;
    }

    private void succeeded(String key) {
        failures.remove(key);
        outage.succeeded(key);
    }

    private boolean copyHasEpoch(String key, Held known) {
        if (known != null) {
            return known.position() != null;
        }
        DiskCache.Saved saved = saved(key);
        return saved != null && saved.epoch() != null;
    }

    private static void refuseOlder(Position answered, Position demand) {
        if (isOlder(answered, demand)) {
            throw new ServerException(503, "the answer is older than what is known of");
        }
    }

    private static boolean isOlder(Position answered, Position known) {
        return answered != null && known != null && answered.isBefore(known);
    }

    private void tell(String key, Held before, Held now, Position heard) {
        boolean isSame = before != null && before.whole().json().equals(now.whole().json());
        if (!isSame && disk != null) {
            disk.save(key, now.whole(), now.position());
        }
        if (before == null) {
            observer.holdingChanged();
            observer.fetched(key, now, heard);
        } else if (!isSame) {
            observer.changed(key, now);
        }
    }

    private void failed(String key, PromptOpsException error, Asker asker) {
        if (asker != Asker.WATCH && !observer.isLost()) {
            outage.failed(key, error);
        }
        if (error instanceof RequestTimeoutException) {
            fetcher.hanging().timedOut();
        }
    }

    private void noteFailure(String key, PromptOpsException error, Asker asker) {
        failed(key, error, asker);
        failures.compute(key, (k, before) -> new Failure(before, error));
    }

    private Failure failureOf(String key, PromptOpsException error) {
        Failure failure = failures.get(key);
        return failure == null ? new Failure(null, error) : failure;
    }

    private Prompt fallback(String key, String subject, Failure failure) {
        DiskCache.Saved saved = failure.fallback(() -> saved(key));
        if (saved == null) {
            throw failure.error();
        }
        Duration age = saved.at() == null ? null : Duration.between(saved.at(), Instant.now());
        Source source = saved.whole() == bundle.get(key) ? Source.BUNDLE : Source.DISK;
        return saved.whole().answer(subject, source, saved.revision(), age);
    }

    private DiskCache.Saved saved(String key) {
        DiskCache.Saved saved = disk == null ? null : disk.load(key);
        if (saved != null) {
            return saved;
        }
        Whole bundled = bundle.get(key);
        return bundled == null ? null : new DiskCache.Saved(bundled, bundle.epoch(), null, null);
    }
}
