package io.promptops;

import java.util.HashMap;
import java.util.Map;

/**
 * Logs one warning when fetches begin to fail, and one when the server responds again. Safe between threads.
 */
final class FetchOutage {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final Map<String, PromptOpsException> failing = new HashMap<>();

    /** Records a failure; the key is empty for the snapshot. */
    synchronized void recordFailure(String key, PromptOpsException error) {
        if (failing.isEmpty()) {
            String what = key.isEmpty() ? "the snapshot" : "prompt '" + key + "'";
            LOGGER.log(System.Logger.Level.WARNING, what + " can't be fetched: " + error.getMessage());
        }
        failing.put(key, error);
    }

    /** Records a success. A key that fails for its own reason keeps failing, whatever the others do. */
    synchronized void recordSuccess(String key) {
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
