package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The copies on disk and in the bundle: when they are replaced, removed and used. */
class DiskCacheTest {
    private final ScriptedServer server = new ScriptedServer();

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        server.close();
    }

    private PromptOpsClient client() {
        return PromptOpsClient.builder(server.url()).cacheDir(folder).build();
    }

    /** Returns the prompt of a new client, which saves it. */
    private Prompt fetched(byte[] answer) {
        server.answer(request -> answer);
        try (PromptOpsClient client = client()) {
            return client.getPrompt("k");
        }
    }

    private Prompt saved() {
        return fetched(ScriptedServer.error(503, "busy"));
    }

    @Test
    void anOlderCopyOfTheSameEpochDoesNotReplaceANewerOne() {
        fetched(ScriptedServer.prompt("k", "v9", "new", 9));
        assertEquals("v8", fetched(ScriptedServer.prompt("k", "v8", "old", 8)).version());
        assertEquals("v9", saved().version());

        String restored = new String(ScriptedServer.prompt("k", "v1", "restored", 1)).replace("Epoch: e1", "Epoch: e2");
        fetched(restored.getBytes());
        assertEquals("v1", saved().version());
    }

    @Test
    void aDamagedCopyIsReplacedWhateverItsRevision() throws IOException {
        fetched(ScriptedServer.prompt("k", "v9", "the text", 9));
        try (var files = Files.list(folder)) {
            Path file = files.findFirst().orElseThrow();
            Files.writeString(file, Files.readString(file).replace("the text", "the test"));
        }
        fetched(ScriptedServer.prompt("k", "v8", "old", 8));
        assertEquals("v8", saved().version());
    }

    @Test
    void temporaryFilesOfAKilledProcessAreRemoved() throws IOException {
        Path old = Files.createFile(folder.resolve("prompt1.tmp"));
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofHours(2))));
        Path fresh = Files.createFile(folder.resolve("prompt2.tmp"));

        client().close();

        assertFalse(Files.exists(old));
        assertTrue(Files.exists(fresh));
    }

    @Test
    void a404OfSomebodyElseIsNoFact() {
        byte[] page = ScriptedServer.http(404, "Content-Type: text/html\r\n", "<h1>Not Found</h1>");
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        try (PromptOpsClient client = client()) {
            client.getPrompt("k");
            server.answer(request -> page);
            assertEquals(Source.MEMORY, client.getPrompt("k", PromptOptions.NONE.refresh()).source());
            assertThrows(ProtocolException.class, () -> client.getPrompt("other"));
        }
        assertEquals(Source.DISK, fetched(page).source());
    }

    @Test
    void theFolderIsPrivate() throws IOException {
        folder = folder.resolve("made/by the client");
        fetched(ScriptedServer.prompt("k", "v1", "text", 1));
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
        assertEquals(Source.DISK, saved().source());
    }

    @Test
    void a404OfAnOlderRevisionIsNoFact() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        try (PromptOpsClient client = client()) {
            client.getPrompt("k");
            server.answer(request -> ScriptedServer.notFound(6));
            assertEquals(Source.MEMORY, client.getPrompt("k", PromptOptions.NONE.refresh()).source());
            assertEquals("v1", saved().version());
            server.answer(request -> ScriptedServer.notFound(7));
            assertThrows(NotFoundException.class, () -> client.getPrompt("k", PromptOptions.NONE.refresh()));
        }
        assertThrows(ServerException.class, this::saved);
    }

    @Test
    void anInvalidPromptOfTheBundleIsSkipped() throws IOException {
        Path bundle = Files.writeString(
                folder.resolve("bundle"),
                "{\"epoch\":\"e1\",\"revision\":5,\"env\":\"prod\",\"prompts\":[{\"key\":\"odd\"},7,"
                        + "{\"key\":\"good\",\"version\":\"v1\",\"content\":\"text\"}]}");
        server.close();
        try (PromptOpsClient client = PromptOpsClient.builder(server.url()).bundle(bundle).build()) {
            assertEquals(Source.BUNDLE, client.getPrompt("good").source());
            assertThrows(ServerUnreachableException.class, () -> client.getPrompt("odd"));
        }
    }
}
