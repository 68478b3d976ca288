package io.promptops;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Makes at most one call at a time for each key, and shares its outcome, which is a value or an error. Calls
 * for one key never overlap, so a slow response can't overwrite a newer one.
 */
final class Coalesced<T> {
    private final Call<T> call;
    private final ConcurrentHashMap<String, Calls<T>> running = new ConcurrentHashMap<>();

    Coalesced(Call<T> call) {
        this.call = call;
    }

    /** The shared call. */
    interface Call<T> {
        T run(String key, FetchReason reason, long deadline);
    }

    /** The calls for one key, numbered from 1; all fields except the lock are guarded by the map's entry. */
    private static final class Calls<T> {
        final ReentrantLock turn = new ReentrantLock();
        int users;
        long started;
        boolean inFlight;
        volatile long outcomeOf;
        T value;
        PromptOpsException error;
    }

    /** Returns the outcome of the running call, or of a new one. */
    T join(String key, FetchReason reason, long deadline) {
        return outcome(key, reason, deadline, true);
    }

    /** Returns the outcome of a call that begins after this request. */
    T callAnew(String key, FetchReason reason, long deadline) {
        return outcome(key, reason, deadline, false);
    }

    /** Whether a call is running or waiting. */
    boolean isRunning(String key) {
        return running.containsKey(key);
    }

    /** The keys with a running or waiting call. */
    Iterable<String> runningKeys() {
        return running.keySet();
    }

    private T outcome(String key, FetchReason reason, long deadline, boolean joins) {
        long[] newestStarted = new long[1];
        Calls<T> calls = running.compute(key, (k, existing) -> {
            Calls<T> used = existing == null ? new Calls<>() : existing;
            used.users++;
            newestStarted[0] = joins && used.inFlight ? used.started - 1 : used.started;
            return used;
        });
        try {
            awaitTurn(calls, deadline);
            try {
                return outcomeAfter(newestStarted[0], calls, key, reason, deadline);
            } finally {
                calls.turn.unlock();
            }
        } finally {
            running.computeIfPresent(key, (k, used) -> --used.users == 0 ? null : used);
        }
    }

    private T outcomeAfter(long newestStarted, Calls<T> calls, String key, FetchReason reason, long deadline) {
        if (calls.outcomeOf <= newestStarted) {
            run(calls, key, reason, deadline);
        }
        if (calls.error != null) {
            throw calls.error;
        }
        return calls.value;
    }

    private void run(Calls<T> calls, String key, FetchReason reason, long deadline) {
        running.computeIfPresent(key, (k, used) -> {
            used.started++;
            used.inFlight = true;
            return used;
        });
        try {
            calls.value = call.run(key, reason, deadline);
            calls.error = null;
            calls.outcomeOf = calls.started;
        } catch (PromptOpsException error) {
            calls.value = null;
            calls.error = error;
            calls.outcomeOf = calls.started;
        } finally {
            running.computeIfPresent(key, (k, used) -> {
                used.inFlight = false;
                return used;
            });
        }
    }

    private static void awaitTurn(Calls<?> calls, long deadline) {
        try {
            // The first attempt works in an interrupted thread, because it does not wait.
            if (!calls.turn.tryLock() && !calls.turn.tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                throw new RequestTimeoutException("no response came within the time-out", null);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new ServerUnreachableException("the thread was interrupted while it waited", interrupted);
        }
    }
}
