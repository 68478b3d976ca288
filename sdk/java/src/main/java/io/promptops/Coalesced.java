package io.promptops;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Makes at most one call at a time for each key, and shares its outcome, which is a value or an
 * error. Because calls for one key never overlap, a slow answer can't overwrite a newer one.
 */
final class Coalesced<T> {
    private final Call<T> call;
    private final ConcurrentHashMap<String, Calls<T>> running = new ConcurrentHashMap<>();

    Coalesced(Call<T> call) {
        this.call = call;
    }

    /** What is called. */
    interface Call<T> {
        T run(String key, Asker asker, long deadline);
    }

    /** The calls for one key, numbered from 1; all but the lock guarded by the map's entry. */
    private static final class Calls<T> {
        final ReentrantLock turn = new ReentrantLock();
        int users;
        long begun;
        boolean inFlight;
        volatile long outcomeOf;
        T value;
        PromptOpsException error;
    }

    /** The outcome of the call that is running, else of a new one. */
    T join(String key, Asker asker, long deadline) {
        return outcome(key, asker, deadline, true);
    }

    /** The outcome of a call that began after this one was asked for. */
    T fresh(String key, Asker asker, long deadline) {
        return outcome(key, asker, deadline, false);
    }

    /** Whether a call is running or waited for. */
    boolean isRunning(String key) {
        return running.containsKey(key);
    }

    /** For which keys that is so. */
    Iterable<String> runningKeys() {
        return running.keySet();
    }

    private T outcome(String key, Asker asker, long deadline, boolean joins) {
        long[] seen = new long[1];
        Calls<T> calls = running.compute(key, (k, known) -> {
            Calls<T> used = known == null ? new Calls<>() : known;
            used.users++;
            seen[0] = joins && used.inFlight ? used.begun - 1 : used.begun;
            return used;
        });
        try {
            awaitTurn(calls, deadline);
            try {
                return outcomeAfter(seen[0], calls, key, asker, deadline);
            } finally {
                calls.turn.unlock();
            }
        } finally {
            running.computeIfPresent(key, (k, used) -> --used.users == 0 ? null : used);
        }
    }

    private T outcomeAfter(long seen, Calls<T> calls, String key, Asker asker, long deadline) {
        if (calls.outcomeOf <= seen) {
            run(calls, key, asker, deadline);
        }
        if (calls.error != null) {
            throw calls.error;
        }
        return calls.value;
    }

    private void run(Calls<T> calls, String key, Asker asker, long deadline) {
        running.computeIfPresent(key, (k, used) -> {
            used.begun++;
            used.inFlight = true;
            return used;
        });
        try {
            calls.value = call.run(key, asker, deadline);
            calls.error = null;
            calls.outcomeOf = calls.begun;
        } catch (PromptOpsException error) {
            calls.value = null;
            calls.error = error;
            calls.outcomeOf = calls.begun;
        } finally {
            running.computeIfPresent(key, (k, used) -> {
                used.inFlight = false;
                return used;
            });
        }
    }

    private static void awaitTurn(Calls<?> calls, long deadline) {
        try {
            // The first does not mind an interrupted thread: nothing is waited for.
            if (!calls.turn.tryLock() && !calls.turn.tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                throw new RequestTimeoutException("no answer came within the time-out", null);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new ServerUnreachableException("the thread was interrupted while it waited", interrupted);
        }
    }
}
