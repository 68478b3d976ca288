package io.promptops;

import java.util.List;
import java.util.concurrent.TimeUnit;

/** All threads of a client; they are daemons and start when there is work. */
final class Threads {
    // The most concurrent refetches.
    private static final int MOST_FETCHING = 4;

    private final Workers fetching = new Workers("promptops-worker", MOST_FETCHING);
    // Separate threads, so that a listener or a server that hangs does not block other work.
    private final Workers notifying = new Workers("promptops-listener", 1);
    private final Workers reporting = new Workers("promptops-reports", 1);
    private final Workers timing = new Workers("promptops-timer", 1);
    private final Workers watching = new Workers("promptops-watch", 1);

    /** For fetches in the background, which take up to the time-out. */
    Workers fetching() {
        return fetching;
    }

    /** For the program's listeners, which may take any time. */
    Workers notifying() {
        return notifying;
    }

    /** For reports to the server, which it may be slow to read. */
    Workers reporting() {
        return reporting;
    }

    /** For timers, whose work must not wait. */
    Workers timing() {
        return timing;
    }

    /** For the watch, until the client is closed. */
    Workers watching() {
        return watching;
    }

    /** Ends all threads except the current one, and waits at most so long for them. Can be called again. */
    void close(long milliseconds) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
        List<Workers> all = List.of(watching, fetching, reporting, timing, notifying);
        all.forEach(Workers::close);
        boolean isInterrupted = false;
        for (Workers workers : all) {
            isInterrupted |= workers.join(deadline);
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
