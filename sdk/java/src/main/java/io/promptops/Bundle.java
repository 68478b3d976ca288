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
            return of(Snapshot.read(JsonReader.decode(content), environment, "the bundle " + file));
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

    private static Bundle of(Snapshot snapshot) {
        Map<String, Whole> prompts = new HashMap<>();
        snapshot.prompts().forEach(whole -> prompts.put(whole.key(), whole));
        return new Bundle(snapshot.epoch(), prompts);
    }
}
