package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FetchTest {
    private static final String WITH_ROLLOUT = "{\"key\":\"k\",\"version\":\"v1\",\"env\":\"prod\",\"model\":\"\",\"content\":\"A\","
            + "\"kind\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi {{who}}\"}],\"config\":{\"t\":[0.5,{\"n\":null}]},"
            + "\"variables\":[\"who\"],\"rollout\":{\"salt\":\"greeting\",\"variants\":["
            + "{\"name\":\"control\",\"weight\":5000,\"version\":\"v1\",\"content\":\"A\"},"
            + "{\"name\":\"short\",\"weight\":5000,\"version\":\"v2\",\"model\":\"m\",\"content\":\"B {{who}}\"}]}}";

    private final ScriptedServer server = new ScriptedServer();
    private final BlockingQueue<PromptOpsException> errors = new LinkedBlockingQueue<>();
    private final List<PromptOpsClient> clients = new ArrayList<>();

    @TempDir
    private Path folder;

    private PromptOpsClient.Builder builder() {
        return PromptOpsClient.builder(server.url()).timeout(Duration.ofSeconds(5)).onError(errors::add);
    }

    private PromptOpsClient client() {
        return client(builder());
    }

    private PromptOpsClient client(PromptOpsClient.Builder builder) {
        PromptOpsClient client = builder.build();
        clients.add(client);
        return client;
    }

    @AfterEach
    void close() {
        clients.forEach(PromptOpsClient::close);
        server.close();
    }

    @Test
    void eachFetchDrawsAVariantEvenIfNothingChanged() {
        server.answer(request -> request.headers().containsKey("if-none-match")
                ? ScriptedServer.notModified(7)
                : ScriptedServer.ok(WITH_ROLLOUT, 7));
        PromptOpsClient client = client();
        Set<String> drawn = new HashSet<>();
        client.getPrompt("k");
        for (int left = 60; left > 0; left--) {
            drawn.add(client.getPrompt("k", PromptOptions.NONE.refresh()).variant());
        }
        assertEquals(Set.of("control", "short"), drawn);
    }

    @Test
    void fetchesTheFullPromptOnce() {
        server.answer(request -> ScriptedServer.prompt("a b/ü", "v1", "Hello {{who}}!", 7));
        PromptOpsClient client = client(builder().namespace("pro d").token("secret").workspace("team"));

        Prompt fetched = client.getPrompt("a b/ü");
        Prompt cached = client.getPrompt("a b/ü");

        ScriptedServer.Request request = server.nextRequest();
        assertEquals("/api/sdk/prompts/a%20b%2F%C3%BC?env=pro%20d&full=true&workspace=team", request.target());
        assertEquals("Bearer secret", request.headers().get("authorization"));
        assertEquals("promptops-java/0.1.0", request.headers().get("user-agent"));
        assertFalse(server.hasRequest());
        assertEquals(Source.SERVER, fetched.source());
        assertEquals(Source.MEMORY, cached.source());
        assertEquals(7L, cached.revision());
        assertEquals("v1", cached.version());
        assertTrue(cached.age().compareTo(Duration.ofSeconds(20)) < 0);
        assertEquals("Hello Ada!", client.render("a b/ü", Map.of("who", "Ada")));
    }

    @Test
    void picksTheVariantOfASubjectWithoutACall() {
        server.answer(request -> ScriptedServer.ok(WITH_ROLLOUT, 7));
        PromptOpsClient client = client();

        // Its bucket is 523 of 10,000.
        Prompt prompt = client.getPrompt("k", PromptOptions.forSubject("user-42"));
        assertEquals("control", prompt.variant());
        Set<String> variants = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            Prompt other = client.getPrompt("k", PromptOptions.forSubject("user-" + i));
            assertEquals(other.variant().equals("short") ? "B {{who}}" : "A", other.content());
            variants.add(other.variant());
        }
        assertEquals(Set.of("control", "short"), variants);
        String drawn = client.getPrompt("k").variant();
        for (int i = 0; i < 50; i++) {
            assertEquals(drawn, client.getPrompt("k").variant());
        }
        server.nextRequest();
        assertFalse(server.hasRequest());
    }

    @Test
    void chatsHaveMessagesAndConfig() {
        server.answer(request -> ScriptedServer.ok(WITH_ROLLOUT.replaceAll("\"rollout\".*", "\"rollout\":null}"), 7));
        PromptOpsClient client = client();

        Prompt prompt = client.getPrompt("k");

        assertEquals("chat", prompt.kind());
        assertEquals(List.of("who"), prompt.variables());
        assertEquals("{t=[0.5, {n=null}]}", prompt.config().toString());
        assertThrows(UnsupportedOperationException.class, () -> prompt.config().put("x", 1));
        assertEquals(List.of(new Message("user", "Hi Ada")), client.renderMessages("k", Map.of("who", "Ada")));
        assertThrows(
                MissingVariableException.class, () -> client.renderMessages("k", Map.of(), PromptOptions.NONE.strict()));
    }

    @Test
    void refreshSendsTheEtag() {
        server.answer(request -> request.headers().containsKey("if-none-match")
                ? ScriptedServer.notModified(9)
                : ScriptedServer.prompt("k", "v1", "text", 7));
        PromptOpsClient client = client();
        client.getPrompt("k");

        Prompt refreshed = client.getPrompt("k", PromptOptions.NONE.refresh());

        assertEquals(Source.SERVER, refreshed.source());
        assertEquals(9L, refreshed.revision());
        assertEquals("text", refreshed.content());
    }

    @Test
    void olderStatesDontReplaceNewerOnes() {
        server.answer(request -> ScriptedServer.prompt("k", "v2", "new", 9));
        PromptOpsClient client = client();
        client.getPrompt("k");

        server.answer(request -> ScriptedServer.prompt("k", "v1", "old", 8));

        assertEquals("new", client.getPrompt("k", PromptOptions.NONE.refresh()).content());
        assertEquals(9L, client.getPrompt("k").revision());
    }

    @Test
    void callersOfOneKeyShareARequest() throws Exception {
        CountDownLatch requested = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        server.answer(request -> {
            requested.countDown();
            await(go);
            return ScriptedServer.prompt("k", "v1", "text", 7);
        });
        PromptOpsClient client = client();
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Prompt>> answers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                answers.add(threads.submit(() -> client.getPrompt("k")));
            }
            await(requested);
            go.countDown();
            for (Future<Prompt> answer : answers) {
                assertEquals("text", answer.get().content());
            }
        } finally {
            threads.shutdownNow();
        }
        server.nextRequest();
        assertFalse(server.hasRequest());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"key\":\"other\",\"content\":\"text\"}",
                "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"key\":\"k\",\"content\":\"\u00ff\u00ff\"}",
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
                "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                "SSH-2.0-OpenSSH\r\n",
                "\r\n\r\n",
                ""
            })
    void anyInvalidResponseChangesNothing(String answer) {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        PromptOpsClient client = client(builder().cacheDir(folder));
        client.getPrompt("k");
        server.answer(request -> withCut(answer.getBytes(StandardCharsets.ISO_8859_1)));

        assertEquals(Source.MEMORY, client.getPrompt("k", PromptOptions.NONE.refresh()).source());
        Prompt saved = client(builder().cacheDir(folder)).getPrompt("k");
        assertEquals(Source.DISK, saved.source());
        assertEquals("text", saved.content());
        assertEquals(7L, saved.revision());
        assertTrue(saved.age().compareTo(Duration.ofMinutes(1)) < 0);
        PromptOpsClient empty = client();
        assertEquals("Hi", empty.getPrompt("k", PromptOptions.withDefault("Hi")).content());
        assertThrows(PromptOpsException.class, () -> empty.getPrompt("k"));
        assertTrue(errors.isEmpty());
    }

    @Test
    void triesTwiceAndThenPauses() {
        server.answer(request -> ScriptedServer.error(503, "busy"));
        PromptOpsClient client = client();

        ServerException error = assertThrows(ServerException.class, () -> client.getPrompt("k"));
        assertEquals("503: busy", error.getMessage());
        for (int i = 0; i < 20; i++) {
            assertThrows(ServerException.class, () -> client.getPrompt("k"));
            assertEquals(Source.DEFAULT, client.getPrompt("k", PromptOptions.withDefault("")).source());
        }
        server.nextRequest();
        server.nextRequest();
        assertFalse(server.hasRequest());

        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        Await.until(() -> client.getPrompt("k", PromptOptions.withDefault("")).content().equals("text"));
    }

    @Test
    void aSuccessfulSecondAttemptReturnsThePrompt() {
        BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();
        answers.add(ScriptedServer.error(500, "once"));
        answers.add(ScriptedServer.prompt("k", "v1", "text", 7));
        server.answer(request -> answers.poll());

        assertEquals(Source.SERVER, client().getPrompt("k").source());
    }

    @Test
    void aSlowServerIsATimeOut() {
        CountDownLatch end = new CountDownLatch(1);
        server.answer(request -> {
            await(end);
            return null;
        });
        PromptOpsClient client = client(builder().timeout(Duration.ofMillis(200)));

        assertThrows(RequestTimeoutException.class, () -> client.getPrompt("k"));
        end.countDown();
        server.nextRequest();
        assertFalse(server.hasRequest());
    }

    @Test
    void a404IsAFact() throws IOException {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        PromptOpsClient client = client(builder().cacheDir(folder).bundle(bundle("k", "bundled")));
        client.getPrompt("k");
        server.answer(request -> ScriptedServer.notFound(7));

        assertThrows(NotFoundException.class, () -> client.getPrompt("k", PromptOptions.NONE.refresh()));
        assertThrows(NotFoundException.class, () -> client.getPrompt("k"));
        assertEquals("Hi", client.getPrompt("k", PromptOptions.withDefault("Hi")).content());
        try (var files = Files.list(folder)) {
            assertEquals(List.of("bundle"), files.map(file -> file.getFileName().toString()).toList());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void aRefusedTokenNotifiesAndChangesNothing(int status) throws IOException {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        PromptOpsClient client = client(builder().bundle(bundle("b", "bundled")));
        client.getPrompt("k");
        server.answer(request -> ScriptedServer.error(status, "no"));

        assertEquals("text", client.getPrompt("k", PromptOptions.NONE.refresh()).content());
        assertEquals(status, ((ResponseException) Await.next(errors)).status());
        assertEquals(Source.BUNDLE, client.getPrompt("b").source());
        ResponseException error = assertThrows(ResponseException.class, () -> client.getPrompt("unknown"));
        assertEquals(status, error.status());
    }

    @Test
    void theBundleIsUsedAfterTheDisk() throws IOException {
        server.close();
        PromptOpsClient client = client(builder().bundle(bundle("k", "bundled")));

        Prompt prompt = client.getPrompt("k");

        assertEquals(Source.BUNDLE, prompt.source());
        assertEquals("bundled", prompt.content());
        assertNull(prompt.revision());
        assertNull(prompt.age());
    }

    @Test
    void oldCopiesAreReturnedAndRefreshedInTheBackground() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "old", 7));
        PromptOpsClient client = client(builder().maxAge(Duration.ZERO));
        client.getPrompt("k");
        CountDownLatch go = new CountDownLatch(1);
        server.answer(request -> {
            await(go);
            return ScriptedServer.prompt("k", "v2", "new", 8);
        });

        for (int i = 0; i < 20; i++) {
            assertEquals("old", client.getPrompt("k").content());
        }
        go.countDown();
        Await.until(() -> client.getPrompt("k").content().equals("new"));
    }

    @Test
    void afterCloseCachedPromptsAreStillReturned() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 7));
        PromptOpsClient client = client();
        client.getPrompt("k");
        client.close();

        assertEquals("text", client.getPrompt("k").content());
        assertThrows(ClientClosedException.class, () -> client.getPrompt("other"));
        assertEquals("Hi", client.getPrompt("other", PromptOptions.withDefault("Hi")).content());
        assertThrows(ClientClosedException.class, client::watch);
    }

    @Test
    void invalidValuesAreRejectedImmediately() {
        assertThrows(IllegalArgumentException.class, () -> client().getPrompt(""));
        assertThrows(IllegalArgumentException.class, () -> client().getPrompt("."));
        assertThrows(IllegalArgumentException.class, () -> client().getPrompt(".."));
        assertThrows(IllegalArgumentException.class, () -> client().getPrompt("\uD800"));
        assertThrows(IllegalArgumentException.class, () -> PromptOptions.forSubject("\uDC00"));
        assertThrows(IllegalArgumentException.class, () -> builder().token("a b"));
        assertThrows(IllegalArgumentException.class, () -> builder().timeout(Duration.ZERO));
        for (String bad : List.of("", "localhost:8080", "ftp://a", "http://", "http://a?b", "http://u@a", "http://a b")) {
            assertThrows(IllegalArgumentException.class, () -> new PromptOpsClient(bad), bad);
        }
    }

    @Test
    void anyBytesInsteadOfAResponseAreACleanError() {
        Random random = new Random(20260101);
        byte[] good = ScriptedServer.prompt("k", "v1", "text", 7);
        PromptOpsClient client = client(builder().timeout(Duration.ofSeconds(2)));
        for (int round = 0; round < 40; round++) {
            byte[] bytes = good.clone();
            for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            server.answer(request -> withCut(bytes));
            Prompt prompt = client.getPrompt("k", PromptOptions.withDefault("default").refresh());
            assertTrue(Set.of(Source.DEFAULT, Source.SERVER, Source.MEMORY).contains(prompt.source()));
        }
    }

    private static byte[] withCut(byte[] bytes) {
        return (new String(bytes, StandardCharsets.ISO_8859_1) + ScriptedServer.CUT).getBytes(StandardCharsets.ISO_8859_1);
    }

    private Path bundle(String key, String content) throws IOException {
        return Files.writeString(
                folder.resolve("bundle"),
                "{\"epoch\":\"e1\",\"revision\":5,\"env\":\"prod\",\"prompts\":[{\"key\":\"" + key
                        + "\",\"version\":\"v0\",\"content\":\"" + content + "\"}]}");
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }
}
