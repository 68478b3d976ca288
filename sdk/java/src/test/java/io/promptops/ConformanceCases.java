package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The cases that all SDKs and the server share. */
public final class ConformanceCases {
    private static final Path FOLDER = Path.of("..", "conformance");

    private ConformanceCases() {}

    public static Map<?, ?> read(String file) {
        try {
            Map<?, ?> content = JsonReader.readObject(Files.readString(FOLDER.resolve(file)));
            if (!Long.valueOf(1).equals(content.get("format"))) {
                throw new IllegalStateException(file + " has another format: " + content.get("format"));
            }
            return content;
        } catch (IOException | JsonException error) {
            throw new IllegalStateException(error);
        }
    }

    public static List<Map<?, ?>> of(Map<?, ?> content) {
        return ((List<?>) content.get("cases")).stream().<Map<?, ?>>map(testCase -> (Map<?, ?>) testCase).toList();
    }
}
