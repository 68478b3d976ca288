package io.promptops;

import java.util.HashMap;
import java.util.Map;

/** The fetches that fail: one warning when they begin to, one when the server answers again. Safe between threads. */
final class FetchOutage {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final Map<String, PromptOpsException> failing = new HashMap<>();

    /** The key is empty for the snapshot. */
    synchronized void failed(String key, PromptOpsException error) {
        if (failing.isEmpty()) {
            String what = key.isEmpty() ? "the snapshot" : "prompt '" + key + "'";
            LOGGER.log(System.Logger.Level.WARNING, what + " can't be fetched: " + error.getMessage());
        }
        failing.put(key, error);
    }

    /** A key that fails for a reason of its own goes on to do so whatever the others do. */
    synchronized void succeeded(String key) {
        if (failing.isEmpty()) {
            return;
        }
        failing.remove(key);
        failing.values().removeIf(ServerUnreachableException.class::isInstance);
        if (failing.isEmpty()) {
            LOGGER.log(System.Logger.Level.WARNING, "prompts can be fetched again");
        }
    }
}
