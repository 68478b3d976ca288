package io.promptops.internal.net;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/** Slows down reading if frames arrive faster than any server sends changes; bursts pass immediately. */
final class Pace {
    static final int BURST = 10_000;
    static final int PER_SECOND = 1000;

    private static final long INTERVAL = TimeUnit.SECONDS.toNanos(1) / PER_SECOND;

    private final LongSupplier clock;
    private final LongConsumer pause;
    private long due;

    Pace() {
        this(System::nanoTime, LockSupport::parkNanos);
    }

    /** Clock and pause are in nanoseconds. */
    Pace(LongSupplier clock, LongConsumer pause) {
        this.clock = clock;
        this.pause = pause;
        this.due = clock.getAsLong() - BURST * INTERVAL;
    }

    /** Waits if necessary; call it before each frame. */
    void step() {
        long now = clock.getAsLong();
        long earliest = now - BURST * INTERVAL;
        due = (due - earliest > 0 ? due : earliest) + INTERVAL;
        if (due - now > 0) {
            pause.accept(due - now);
        }
    }
}
