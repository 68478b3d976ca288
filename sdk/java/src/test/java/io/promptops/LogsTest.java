package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogsTest {
    private final Logger logger = Logger.getLogger("io.promptops");
    private final BlockingQueue<String> warnings = new LinkedBlockingQueue<>();
    private final ScriptedServer server = new ScriptedServer();
    private final Handler handler = new Handler() {
        @Override
        public void publish(LogRecord line) {
            if (line.getLevel().intValue() >= Level.WARNING.intValue()) {
                warnings.add(line.getMessage());
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    };

    @TempDir
    private Path folder;

    @BeforeEach
    void listen() {
        logger.addHandler(handler);
    }

    @AfterEach
    void close() {
        logger.removeHandler(handler);
        server.close();
    }

    private static String failure(PromptOpsClient client, String key) {
        return assertThrows(PromptOpsException.class, () -> client.getPrompt(key)).getMessage();
    }

    @Test
    void anOutageIsOneWarningAndItsEndAnother() {
        try (PromptOpsClient client = new PromptOpsClient(server.url())) {
            server.answer(request -> null);
            String words = failure(client, "a");
            failure(client, "b");
            failure(client, "a");
            assertEquals(List.of("prompt 'a' can't be fetched: " + words), List.copyOf(warnings));

            server.answer(request -> ScriptedServer.prompt("c", "v1", "text", 1));
            client.getPrompt("c");
            client.getPrompt("c", PromptOptions.NONE.refresh());
            assertEquals(2, warnings.size());
            assertTrue(warnings.contains("prompts can be fetched again"));
        }
    }

    @Test
    void aKeyThatTheServerItselfFailsForIsAnOutageOfItsOwn() {
        try (PromptOpsClient client = new PromptOpsClient(server.url())) {
            server.answer(request -> request.key().equals("bad")
                    ? ScriptedServer.error(500, "broken")
                    : ScriptedServer.prompt(request.key(), "v1", "text", 1));
            failure(client, "bad");
            client.getPrompt("good");
            assertEquals(1, warnings.size());
        }
    }

    @Test
    void aFolderThatCantBeWrittenIsOneLine() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        server.answer(request -> ScriptedServer.prompt(request.key(), "v1", "text", 1));
        try (PromptOpsClient client =
                PromptOpsClient.builder(server.url()).cacheDir(file.resolve("below")).build()) {
            for (String key : List.of("a", "b", "c")) {
                assertEquals("text", client.getPrompt(key).content());
            }
        }
        assertEquals(1, warnings.size(), warnings.toString());
        assertTrue(warnings.element().startsWith("prompts can't be kept in the folder " + file), warnings.element());
    }
}
