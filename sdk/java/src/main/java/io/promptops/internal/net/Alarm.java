package io.promptops.internal.net;

/** Calls back after a time, for operations without a time-out: writing to a socket. */
public interface Alarm {
    /**
     * Runs `ring` after so many nanoseconds, unless the returned function is run before. `ring` must not
     * wait.
     */
    Runnable set(long nanoseconds, Runnable ring);
}
