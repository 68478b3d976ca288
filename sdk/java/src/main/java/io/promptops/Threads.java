package io.promptops;

import java.util.List;
import java.util.concurrent.TimeUnit;

/** All threads of a client; each is started when there is something for it to do, and a daemon. */
final class Threads {
    // More keys than these are fetched again one after the other.
    private static final int MOST_FETCHING = 4;

    private final Workers fetching = new Workers("promptops-worker", MOST_FETCHING);
    // Of their own: a listener or a peer that hangs holds up nothing else, and nothing holds them up.
    private final Workers telling = new Workers("promptops-listener", 1);
    private final Workers reporting = new Workers("promptops-reports", 1);
    private final Workers timing = new Workers("promptops-timer", 1);
    private final Workers watching = new Workers("promptops-watch", 1);

    /** For fetches in the background, which last up to the time-out. */
    Workers fetching() {
        return fetching;
    }

    /** For the program's listeners, which last as long as they like. */
    Workers telling() {
        return telling;
    }

    /** For what is written to the server beside its own questions, which it may be slow to read. */
    Workers reporting() {
        return reporting;
    }

    /** For what must happen in time, and waits for nothing. */
    Workers timing() {
        return timing;
    }

    /** For listening to the server, as long as the client lives. */
    Workers watching() {
        return watching;
    }

    /** Ends all threads but the current one; waits at most so long for them. Again is allowed. */
    void close(long milliseconds) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
        List<Workers> all = List.of(watching, fetching, reporting, timing, telling);
        all.forEach(Workers::close);
        boolean isInterrupted = false;
        for (Workers each : all) {
            isInterrupted |= each.join(deadline);
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
