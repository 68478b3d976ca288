package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * All prompts of an environment, as the server sends them or a bundle file has them.
 *
 * @param epoch null where none was sent
 */
record Snapshot(String epoch, List<Whole> prompts) {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    /** Without the prompts that are not valid, which is logged. Raises ProtocolException; the name is for messages. */
    static Snapshot read(String json, String environment, String name) {
        try {
            Map<String, String> members = JsonReader.readMemberTexts(json);
            Object env = JsonReader.read(members.getOrDefault("env", "null"));
            if (!environment.equals(env)) {
                throw new ProtocolException(name + " is of the environment " + env + ", not " + environment, null);
            }
            List<Whole> prompts = new ArrayList<>();
            for (String prompt : JsonReader.readElementTexts(members.getOrDefault("prompts", "null"))) {
                addValid(prompts, prompt, name);
            }
            Object epoch = JsonReader.read(members.getOrDefault("epoch", "null"));
            boolean hasEpoch = epoch instanceof String text && !text.isEmpty();
            return new Snapshot(hasEpoch ? (String) epoch : null, prompts);
        } catch (JsonException bad) {
            throw new ProtocolException(name + " " + bad.getMessage(), bad);
        }
    }

    private static void addValid(List<Whole> prompts, String json, String name) {
        try {
            Whole whole = Whole.read(json);
            if (PromptOpsClient.IMPOSSIBLE_KEYS.contains(whole.key())) {
                throw new ProtocolException("its key can't be '" + whole.key() + "'", null);
            }
            prompts.add(whole);
        } catch (ProtocolException bad) {
            LOGGER.log(System.Logger.Level.WARNING, "skipped a prompt of " + name + ": " + bad.getMessage());
        }
    }
}
