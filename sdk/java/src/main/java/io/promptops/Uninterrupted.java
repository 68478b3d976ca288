package io.promptops;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;

/**
 * Reads and writes files in any thread. The functions of java.nio.file fail in an interrupted thread, which a
 * caller's thread may be.
 */
final class Uninterrupted {
    private Uninterrupted() {}

    /** Reads or writes; may run more than once. */
    interface Work<T> {
        T run() throws IOException;
    }

    /** Returns the result of the work; afterwards the thread is interrupted if it was before or meanwhile. */
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
