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

/** Returns prompts from memory, by a fetch, or from fallback copies; safe between threads. */
final class PromptStore {
    private static final long BETWEEN_BACKGROUND_FAILURES = TimeUnit.SECONDS.toNanos(1);

    private final FetchPolicy policy;
    private final DiskCache disk;
    private final Bundle bundle;
    private final Closing closing;
    private final Workers workers;
    private final long timeout;
    private final Duration maxAge;
    private final Preload preload;
    private final Coalesced<CachedPrompt> fetches = new Coalesced<>(this::fetch);
    private final ConcurrentHashMap<String, CachedPrompt> copies = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, Failure> failures = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, FeedPosition> requiredPositions = new ConcurrentHashMap<>();
    private final Set<String> refreshing = ConcurrentHashMap.newKeySet();
    private final FetchOutage outage = new FetchOutage();
    private volatile Observer observer;

    /** The disk cache may be null. */
    PromptStore(
            FetchPolicy policy,
            DiskCache disk,
            Bundle bundle,
            Closing closing,
            Workers workers,
            Duration timeout,
            Duration maxAge) {
        this.policy = policy;
        this.disk = disk;
        this.bundle = bundle;
        this.closing = closing;
        this.workers = workers;
        this.timeout = timeout.toNanos();
        this.maxAge = maxAge;
        this.preload = new Preload(policy, closing, this);
    }

    /** Is notified of changes of the cached prompts. */
    interface Observer {
        /** A cached copy was replaced by a different one, or was removed: then it is null. */
        void copyChanged(String key, CachedPrompt current);

        /** A key was added to or removed from the cache. */
        void cachedKeysChanged();

        /** The server refused the token, except in a refetch of the observer. */
        void tokenRefused(ResponseException error);

        /**
         * A prompt was cached for the first time; `positionAtStart` is the feed position when its fetch
         * began.
         */
        void copyAdded(String key, CachedPrompt current, FeedPosition feedPosition);

        /** The position that the watch has received; null without a working connection. */
        FeedPosition feedPosition();

        /** Whether the watch has lost its connection, and has logged that. */
        boolean isDisconnected();

        /** When the server last confirmed all copies because nothing had changed; or null. */
        Long confirmedAt();
    }

    void setObserver(Observer observer) {
        this.observer = observer;
    }

    /** Returns the prompt for a call, without its default. */
    Prompt getPrompt(String key, PromptOptions options) {
        String subject = options.subject();
        boolean refresh = options.isRefresh();
        CachedPrompt cached = copies.get(key);
        if (cached != null && !refresh) {
            refreshIfOld(key, cached);
            return cached.toPrompt(subject, Source.MEMORY, observer.confirmedAt());
        }
        Failure instead = refresh ? null : fallbackInstead(key, options.fallback() != null);
        if (instead != null) {
            return fallback(key, subject, instead);
        }
        long deadline = System.nanoTime() + timeout;
        try {
            CachedPrompt fetched = refresh
                    ? fetches.callAnew(key, FetchReason.REFRESHING_CALLER, deadline)
                    : fetches.join(key, FetchReason.CALLER, deadline);
            // An older response does not replace the cached copy.
            return fetched.toPrompt(subject, fetched == cached ? Source.MEMORY : Source.SERVER, null);
        } catch (NotFoundException error) {
            throw error;
        } catch (PromptOpsException error) {
            CachedPrompt current = copies.get(key);
            return current == null
                    ? fallback(key, subject, failureFor(key, error))
                    : current.toPrompt(subject, Source.MEMORY, observer.confirmedAt());
        }
    }

    /** Caches all prompts of the environment; returns their keys in order. Throws the errors of a fetch. */
    List<String> preload() {
        return preload.run(System.nanoTime() + timeout);
    }

    /** Caches a prompt of a snapshot unless a newer one is known; returns whether it is cached now. */
    boolean storeFromSnapshot(FullPrompt fullPrompt, FeedPosition position, FeedPosition feedPosition) {
        AtomicReference<CachedPrompt> before = new AtomicReference<>();
        CachedPrompt current = copies.compute(fullPrompt.key(), (key, old) -> {
            before.set(old);
            if (isOlder(position, requiredPositions.get(key)) || old != null && isOlder(position, old.position())) {
                return old;
            }
            boolean isSame = old != null && old.fullPrompt().isSame(fullPrompt);
            // The ETag of an equal prompt is still valid.
            return isSame ? old.confirmed(position) : new CachedPrompt(fullPrompt, null, position, System.nanoTime());
        });
        if (current != null && current != before.get()) {
            recordSuccess(fullPrompt.key());
            notifyObserver(fullPrompt.key(), before.get(), current, feedPosition);
        }
        return current != null;
    }

    /** Records a successful snapshot. */
    void recordSnapshot() {
        outage.recordSuccess("");
    }

    /** Records a snapshot that could not be fetched after all attempts. */
    void recordSnapshotFailure(PromptOpsException error) {
        logFailure("", error, FetchReason.CALLER);
        if (error instanceof UnauthorizedException || error instanceof ForbiddenException) {
            observer.tokenRefused((ResponseException) error);
        }
    }

    /** The position that the watch has received; null without a working connection. */
    FeedPosition feedPosition() {
        return observer.feedPosition();
    }

    /** Rejects older responses from now on, including those of running fetches. */
    void requirePosition(String key, FeedPosition minPosition) {
        if (minPosition.isOfServer()) {
            requiredPositions.merge(key, minPosition, (cached, newest) -> newest.reaches(cached) ? newest : cached);
        }
    }

    /** Fetches and caches the server's copy, at this position or a later one if the server knows it. */
    CachedPrompt refetch(String key, FeedPosition minPosition) {
        requirePosition(key, minPosition);
        return fetches.callAnew(key, FetchReason.WATCH, System.nanoTime() + timeout);
    }

    /** The server sent a hello to the watch, or is an older one without epochs. */
    void helloReceived(boolean isWithEpoch) {
        policy.hangingServer().recordResponse();
        if (isWithEpoch) {
            policy.noteEpoch();
        }
    }

    /** Returns the cached copy, or null. */
    CachedPrompt cached(String key) {
        return copies.get(key);
    }

    List<String> cachedKeys() {
        return new ArrayList<>(copies.keySet());
    }

    /** The keys that are cached or may be soon. */
    Set<String> relevantKeys() {
        Set<String> keys = new HashSet<>(copies.keySet());
        fetches.runningKeys().forEach(keys::add);
        return keys;
    }

    boolean isFetching(String key) {
        return preload.isRunning() || fetches.isRunning(key);
    }

    /** Removes a prompt that does not exist; returns whether it was cached. */
    boolean removePrompt(String key) {
        recordSuccess(key);
        if (disk != null) {
            disk.delete(key);
        }
        boolean wasCached = copies.remove(key) != null;
        if (wasCached) {
            observer.cachedKeysChanged();
        }
        return wasCached;
    }

    /** The failure whose fallback to use without waiting for the server; null if the call should wait. */
    private Failure fallbackInstead(String key, boolean hasDefault) {
        Failure failure = failures.get(key);
        if (failure != null && isFallbackBetter(key, failure)) {
            return failure;
        }
        if (!policy.hangingServer().isActive() || closing.isClosed()) {
            return null;
        }
        Failure timeout = new Failure(null, new RequestTimeoutException("the server does not respond in time", null));
        if (!hasDefault && timeout.fallback(() -> findSavedCopy(key)) == null) {
            return null;
        }
        refresh(key);
        return timeout;
    }

    /**
     * True during the pause after a failure. After it, if there is a copy, the prompt is fetched in the
     * background.
     */
    private boolean isFallbackBetter(String key, Failure failure) {
        if (failure.isPausing()) {
            return true;
        }
        boolean isThere = failure.fallback(() -> findSavedCopy(key)) != null;
        if (isThere && !closing.isClosed()) {
            refresh(key);
        }
        return isThere;
    }

    private void refreshIfOld(String key, CachedPrompt cached) {
        boolean old = observer.feedPosition() == null && cached.age(observer.confirmedAt()).compareTo(maxAge) > 0;
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
            fetches.join(key, FetchReason.AGE, System.nanoTime() + timeout);
        } catch (PromptOpsException error) {
            // The failure is recorded, and cached copies stay in use.
            return;
        } finally {
            refreshing.remove(key);
        }
    }

    private CachedPrompt fetch(String key, FetchReason reason, long deadline) {
        CachedPrompt current = reason == FetchReason.CALLER ? outcomeOfOthers(key) : null;
        if (current != null) {
            return current;
        }
        FetchAttempts attempts = new FetchAttempts(reason, closing, deadline);
        while (true) {
            try {
                return attempt(key, deadline);
            } catch (NotFoundException error) {
                requiredPositions.remove(key);
                if (removePrompt(key)) {
                    observer.copyChanged(key, null);
                }
                throw error;
            } catch (ClientClosedException closed) {
                throw closed;
            } catch (UnauthorizedException | ForbiddenException error) {
                noteFailure(key, error, reason);
                if (reason != FetchReason.WATCH) {
                    observer.tokenRefused(error);
                }
                throw error;
            } catch (PromptOpsException error) {
                if (!attempts.pauseBeforeAnother()) {
                    noteFailure(key, error, reason);
                    throw error;
                }
            }
        }
    }

    /** The outcome of another call between the caller's check and its turn. */
    private CachedPrompt outcomeOfOthers(String key) {
        Failure failure = failures.get(key);
        if (failure != null && failure.isPausing()) {
            throw failure.error();
        }
        return copies.get(key);
    }

    private CachedPrompt attempt(String key, long deadline) {
        CachedPrompt cached = copies.get(key);
        FeedPosition feedPosition = observer.feedPosition();
        FeedPosition required = requiredPositions.get(key);
        CachedPrompt fetched = policy.fetchPrompt(key, cached, required, () -> copyHasEpoch(key, cached), deadline);
        // An event may have removed the cached copy meanwhile.
        AtomicReference<CachedPrompt> before = new AtomicReference<>();
        CachedPrompt current = copies.compute(key, (k, old) -> {
            refuseOlder(fetched.position(), requiredPositions.get(k));
            before.set(old);
            return old == null || old.yieldsTo(fetched) ? fetched : old;
        });
        if (required != null) {
            requiredPositions.remove(key, required);
        }
        recordSuccess(key);
        notifyObserver(key, before.get(), current, feedPosition);
        return current;
    }

    private void recordSuccess(String key) {
        failures.remove(key);
        outage.recordSuccess(key);
    }

    private boolean copyHasEpoch(String key, CachedPrompt cached) {
        if (cached != null) {
            return cached.position() != null;
        }
        DiskCache.Saved savedCopy = findSavedCopy(key);
        return savedCopy != null && savedCopy.epoch() != null;
    }

    private static void refuseOlder(FeedPosition fetched, FeedPosition required) {
        if (isOlder(fetched, required)) {
            throw new ServerException(503, "the response is older than the known revision");
        }
    }

    private static boolean isOlder(FeedPosition fetched, FeedPosition cached) {
        return fetched != null && cached != null && fetched.isBefore(cached);
    }

    private void notifyObserver(String key, CachedPrompt before, CachedPrompt current, FeedPosition feedPosition) {
        boolean isSame = before != null && before.fullPrompt().json().equals(current.fullPrompt().json());
        if (!isSame && disk != null) {
            disk.save(key, current.fullPrompt(), current.position());
        }
        if (before == null) {
            observer.cachedKeysChanged();
            observer.copyAdded(key, current, feedPosition);
        } else if (!isSame) {
            observer.copyChanged(key, current);
        }
    }

    private void logFailure(String key, PromptOpsException error, FetchReason reason) {
        if (reason != FetchReason.WATCH && !observer.isDisconnected()) {
            outage.recordFailure(key, error);
        }
        if (error instanceof RequestTimeoutException) {
            policy.hangingServer().recordTimeout();
        }
    }

    private void noteFailure(String key, PromptOpsException error, FetchReason reason) {
        logFailure(key, error, reason);
        failures.compute(key, (k, before) -> new Failure(before, error));
    }

    private Failure failureFor(String key, PromptOpsException error) {
        Failure failure = failures.get(key);
        return failure == null ? new Failure(null, error) : failure;
    }

    private Prompt fallback(String key, String subject, Failure failure) {
        DiskCache.Saved savedCopy = failure.fallback(() -> findSavedCopy(key));
        if (savedCopy == null) {
            throw failure.error();
        }
        Duration age = savedCopy.at() == null ? null : Duration.between(savedCopy.at(), Instant.now());
        Source source = savedCopy.fullPrompt() == bundle.get(key) ? Source.BUNDLE : Source.DISK;
        return savedCopy.fullPrompt().toPrompt(subject, source, savedCopy.revision(), age);
    }

    private DiskCache.Saved findSavedCopy(String key) {
        DiskCache.Saved savedCopy = disk == null ? null : disk.load(key);
        if (savedCopy != null) {
            return savedCopy;
        }
        FullPrompt bundledPrompt = bundle.get(key);
        return bundledPrompt == null ? null : new DiskCache.Saved(bundledPrompt, bundle.epoch(), null, null);
    }
}
