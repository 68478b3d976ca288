package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The prompts of a file that ships with the program: an answer of the snapshot, saved. */
final class Bundle {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final String epoch;
    private final Map<String, Whole> prompts;

    private Bundle(String epoch, Map<String, Whole> prompts) {
        this.epoch = epoch;
        this.prompts = prompts;
    }

    /**
     * The bundle in a file; an empty one where that can't be read or is of another environment, which
     * is logged: the program has other sources.
     */
    static Bundle load(Path file, String environment) {
        if (file == null) {
            return new Bundle(null, Map.of());
        }
        try {
            byte[] content = Uninterrupted.run(() -> Files.readAllBytes(file));
            return read(JsonReader.readObject(JsonReader.decode(content)), environment);
        } catch (IOException | JsonException | ProtocolException error) {
            LOGGER.log(System.Logger.Level.WARNING, "passed over the bundle " + file, error);
            return new Bundle(null, Map.of());
        }
    }

    /** Of the server that it was saved from; null where that named none. */
    String epoch() {
        return epoch;
    }

    /** The prompt, or null. */
    Whole get(String key) {
        return prompts.get(key);
    }

    private static Bundle read(Map<?, ?> snapshot, String environment) {
        if (!Members.text(snapshot, "env").equals(environment)) {
            throw new ProtocolException("it is of the environment " + snapshot.get("env"), null);
        }
        Map<String, Whole> prompts = new HashMap<>();
        for (Object each : Members.list(snapshot, "prompts")) {
            try {
                Whole whole = Whole.read(Members.object(each, "prompts"), "");
                prompts.put(whole.key(), whole);
            } catch (ProtocolException bad) {
                LOGGER.log(System.Logger.Level.WARNING, "skipped a prompt of the bundle", bad);
            }
        }
        String epoch = Members.text(snapshot, "epoch", "");
        return new Bundle(epoch.isEmpty() ? null : epoch, prompts);
    }
}
