package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The prompts of a file that ships with the program: a saved response of the snapshot. */
final class Bundle {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final String epoch;
    private final Map<String, FullPrompt> prompts;

    private Bundle(String epoch, Map<String, FullPrompt> prompts) {
        this.epoch = epoch;
        this.prompts = prompts;
    }

    /**
     * Loads the bundle from a file; an unreadable file, or one of another environment, causes a warning and
     * an empty bundle.
     */
    static Bundle load(Path file, String environment) {
        if (file == null) {
            return new Bundle(null, Map.of());
        }
        try {
            byte[] content = Uninterrupted.run(() -> Files.readAllBytes(file));
            return of(Snapshot.read(JsonReader.decode(content), environment, "the bundle " + file));
        } catch (IOException | JsonException | ProtocolException error) {
            LOGGER.log(System.Logger.Level.WARNING, "ignored the bundle " + file, error);
            return new Bundle(null, Map.of());
        }
    }

    /** The epoch of the server that it was saved from; null if there is none. */
    String epoch() {
        return epoch;
    }

    /** Returns the prompt, or null. */
    FullPrompt get(String key) {
        return prompts.get(key);
    }

    private static Bundle of(Snapshot snapshot) {
        Map<String, FullPrompt> prompts = new HashMap<>();
        snapshot.prompts().forEach(fullPrompt -> prompts.put(fullPrompt.key(), fullPrompt));
        return new Bundle(snapshot.epoch(), prompts);
    }
}
