package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
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
    void aKeyThatFailsOnTheServerIsASeparateOutage() {
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

    @Test
    void theErrorForARedirectNamesItsLocationWithoutSecrets() {
        String location = "Location: https://me:s3cret@login.example/x?token=s3cret\r\n";
        String words = "302: the server redirects to 'https://***@login.example/x'; use that address";
        server.answer(request -> ScriptedServer.http(302, location, ""));
        server.refuse(request -> ScriptedServer.http(302, location, ""));
        try (PromptOpsClient client = new PromptOpsClient(server.url())) {
            assertEquals(words, failure(client, "a"));
            assertEquals("prompt 'a' can't be fetched: " + words, Await.next(warnings));
            assertEquals(words, assertThrows(ResponseException.class, client::preload).getMessage());
            client.watch();
            assertEquals("hot reload stopped, reconnecting until it works: " + words, Await.next(warnings));
        }
    }

    @Test
    void theLogHasTheServersReasonForARefusedWatch() {
        server.refuse(request -> ScriptedServer.error(426, "the proxy drops the header Upgrade"));
        try (PromptOpsClient client = new PromptOpsClient(server.url())) {
            client.watch();
            assertEquals(
                    "hot reload stopped, reconnecting until it works: 426: the proxy drops the header Upgrade",
                    Await.next(warnings));
        }
    }

    @Test
    void theWarningForAMissingProxyNamesItWithoutItsPassword() {
        try (PromptOpsClient client = PromptOpsClient.builder("https://prompts.example.invalid")
                .environment(Map.of("HTTPS_PROXY", "http://me:s3cret@127.0.0.1:1"))
                .build()) {
            client.watch();
            assertEquals(
                    "hot reload stopped, reconnecting until it works: "
                            + "the proxy http://***@127.0.0.1:1 can't be reached: Connection refused",
                    Await.next(warnings));
        }
    }
}
