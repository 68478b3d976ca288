package io.promptops.internal.net;

/** Calls back after a time, for what has no time-out of its own: writing to a socket. */
public interface Alarm {
    /** Rings after so many nanoseconds, unless what is answered is run before. What rings must not wait. */
    Runnable set(long nanoseconds, Runnable ring);
}
