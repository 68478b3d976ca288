package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * All prompts of an environment, from the server or a bundle file.
 *
 * @param epoch null if there is none
 */
record Snapshot(String epoch, List<FullPrompt> prompts) {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    /**
     * Parses a snapshot; invalid prompts are logged and skipped. Throws ProtocolException. `name` is its name
     * in messages.
     */
    static Snapshot read(String json, String environment, String name) {
        try {
            Map<String, String> members = JsonReader.readMemberTexts(json);
            Object env = JsonReader.read(members.getOrDefault("env", "null"));
            if (!environment.equals(env)) {
                throw new ProtocolException(name + " is of the environment " + env + ", not " + environment, null);
            }
            List<FullPrompt> prompts = new ArrayList<>();
            for (String prompt : JsonReader.readElementTexts(members.getOrDefault("prompts", "null"))) {
                addValid(prompts, prompt, name);
            }
            Object epoch = JsonReader.read(members.getOrDefault("epoch", "null"));
            boolean hasEpoch = epoch instanceof String text && !text.isEmpty();
            return new Snapshot(hasEpoch ? (String) epoch : null, prompts);
        } catch (JsonException error) {
            throw new ProtocolException(name + " " + error.getMessage(), error);
        }
    }

    private static void addValid(List<FullPrompt> prompts, String json, String name) {
        try {
            FullPrompt fullPrompt = FullPrompt.read(json);
            if (PromptOpsClient.IMPOSSIBLE_KEYS.contains(fullPrompt.key())) {
                throw new ProtocolException("its key can't be '" + fullPrompt.key() + "'", null);
            }
            prompts.add(fullPrompt);
        } catch (ProtocolException error) {
            LOGGER.log(System.Logger.Level.WARNING, "skipped a prompt of " + name + ": " + error.getMessage());
        }
    }
}
