package io.promptops;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;

/**
 * Reads and writes files in whatever thread: those of java.nio.file can't be used in one that is
 * interrupted, as the caller's may be, who needs the answer all the same.
 */
final class Uninterrupted {
    private Uninterrupted() {}

    /** Reads or writes; may be run more than once. */
    interface Work<T> {
        T run() throws IOException;
    }

    /** What the work answers; the thread is interrupted afterwards if it was before or meanwhile. */
    static <T> T run(Work<T> work) throws IOException {
        boolean isInterrupted = Thread.interrupted();
        try {
            while (true) {
                try {
                    return work.run();
                } catch (ClosedByInterruptException again) {
                    isInterrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (isInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
