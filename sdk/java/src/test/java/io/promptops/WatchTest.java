package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WatchTest {
    private static final int TEXT = 0x81;

    private final ScriptedServer server = new ScriptedServer();
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();
    private final Map<String, byte[]> served = new ConcurrentHashMap<>();
    private PromptOpsClient client = open(PromptOpsClient.builder(server.url()));

    WatchTest() {
        server.answer(request -> served.getOrDefault(request.key(), ScriptedServer.error(404, "none")));
    }

    private PromptOpsClient open(PromptOpsClient.Builder builder) {
        return builder.timeout(Duration.ofSeconds(5))
                .token("secret")
                .appName("my shop")
                .onConnect(() -> told.add("connect"))
                .onDisconnect(() -> told.add("disconnect"))
                .onError(error -> told.add("error " + error.getMessage()))
                .build();
    }

    private void serve(String key, String version, long revision) {
        served.put(key, ScriptedServer.prompt(key, version, version + " of " + key, revision));
    }

    /** Watches in the background, since the server has to say hello first. */
    private ScriptedServer.Peer watch(long revision) {
        Thread thread = new Thread(() -> client.watch(key -> told.add(key + " " + version(key))));
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer(revision);
        assertEquals("connect", Await.next(told));
        peer.resync("e1", revision);
        assertTrue(peer.target().endsWith("&since=0"));
        awaitApplied(peer, revision);
        while (server.hasRequest()) {
            server.nextRequest();
        }
        return peer;
    }

    private String version(String key) {
        try {
            return client.getPrompt(key).version();
        } catch (NotFoundException gone) {
            return "gone";
        }
    }

    @AfterEach
    void close() {
        client.close();
        server.close();
    }

    @Test
    void theFirstConnectionFetchesAnewWhatIsHeld() {
        serve("a", "v1", 9);
        serve("b", "v1", 7);
        client.getPrompt("a");
        client.getPrompt("b");

        Thread thread = new Thread(client::watch);
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer(9);
        assertEquals("/ws?client=java&version=0.1.0&app=my%20shop&namespace=prod&since=0", peer.target());
        assertEquals("Bearer secret", peer.authorization());
        assertEquals("{\"type\":\"holding\",\"keys\":[\"a\",\"b\"]}", peer.next());
        serve("b", "v2", 9);

        peer.resync("e1", 9);

        awaitApplied(peer, 9);
        assertEquals("v2", client.getPrompt("b").version());
    }

    @Test
    void anEventIsRefetchedToldAndAcknowledged() {
        serve("k", "v1", 7);
        client.getPrompt("k");
        server.nextRequest();
        ScriptedServer.Peer peer = watch(7);
        serve("k", "v2", 9);

        peer.event("published", "k", 9);

        assertEquals("k v2", Await.next(told));
        assertTrue(server.nextRequest().target().endsWith("&full=true&min_revision=9&epoch=e1"));
        awaitApplied(peer, 9);
        assertEquals("v2 of k", client.getPrompt("k").content());
        peer.heartbeat(20);
        awaitApplied(peer, 20);
    }

    @Test
    void promptsThatWereNotHeldAreToldToo() {
        ScriptedServer.Peer peer = watch(0);
        serve("new", "v1", 3);

        peer.event("updated", "new", 3);

        assertEquals("new v1", Await.next(told));
        assertEquals("{\"type\":\"holding\",\"keys\":[\"new\"]}", holding(peer));
    }

    private static String holding(ScriptedServer.Peer peer) {
        String next;
        do {
            next = peer.next();
        } while (!next.contains("holding"));
        return next;
    }

    @Test
    void deletionsAndWhatIsGoneAreForgotten() {
        serve("a", "v1", 1);
        serve("b", "v1", 1);
        client.getPrompt("a");
        client.getPrompt("b");
        ScriptedServer.Peer peer = watch(1);
        served.clear();

        peer.event("deleted", "a", 2);
        assertEquals("a gone", Await.next(told));
        peer.event("updated", "b", 3);
        assertEquals("b gone", Await.next(told));

        assertThrows(NotFoundException.class, () -> client.getPrompt("a"));
    }

    @Test
    void whatIsKnownAlreadyIsNotFetchedAgain() {
        serve("k", "v1", 9);
        client.getPrompt("k");
        server.nextRequest();
        ScriptedServer.Peer peer = watch(9);

        peer.event("published", "k", 8);
        peer.send("{\"type\":\"something.new\",\"key\":\"k\"}");
        peer.send("not JSON");
        peer.send("[".repeat(60_000));
        peer.send("{\"type\":\"prompt.updated\"}");
        peer.heartbeat(10);

        awaitApplied(peer, 10);
        assertFalse(server.hasRequest());
    }

    private static void awaitApplied(ScriptedServer.Peer peer, long revision) {
        String expected = "{\"type\":\"applied\",\"revision\":" + revision + "}";
        String next;
        do {
            next = peer.next();
        } while (!next.equals(expected));
    }

    @Test
    void appliedWaitsForTheRefetchAndFailuresAreTriedAgain() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        ScriptedServer.Peer peer = watch(1);
        served.put("k", ScriptedServer.error(503, "replica is behind"));
        peer.event("published", "k", 5);
        peer.heartbeat(8);
        awaitApplied(peer, 4);

        serve("k", "v0", 4);
        Await.until(() -> client.getPrompt("k").revision() == 4);
        serve("k", "v2", 5);

        awaitApplied(peer, 8);
        assertEquals("v2", client.getPrompt("k").version());
    }

    @Test
    void aNewConnectionResumesWithoutFetching() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        server.nextRequest();
        ScriptedServer.Peer peer = watch(1);
        peer.heartbeat(6);
        awaitApplied(peer, 6);

        peer.cut();
        assertEquals("disconnect", Await.next(told));
        assertEquals("v1", client.getPrompt("k").version());
        ScriptedServer.Peer next = server.nextPeer(8);

        assertEquals("connect", Await.next(told));
        assertTrue(next.target().endsWith("&since=6&epoch=e1"));
        assertEquals("{\"type\":\"holding\",\"keys\":[\"k\"]}", next.next());
        serve("k", "v2", 8);
        next.event("published", "k", 8);
        assertEquals("k v2", Await.next(told));
        server.nextRequest();
        assertFalse(server.hasRequest());
    }

    @Test
    void aResyncFetchesWhatIsHeldAndTellsWhatChanged() {
        serve("same", "v1", 1);
        serve("other", "v1", 1);
        client.getPrompt("same");
        client.getPrompt("other");
        ScriptedServer.Peer peer = watch(1);
        served.put("same", ScriptedServer.prompt("same", "v1", "v1 of same", 1));
        served.replaceAll((key, answer) -> inEpoch2(key.equals("same") ? "v1" : "v2", key));

        peer.resync("e2", 50);

        assertEquals("other v2", Await.next(told));
        awaitApplied(peer, 50);
        peer.cut();
        assertEquals("disconnect", Await.next(told));
        assertTrue(server.nextPeer().target().endsWith("&since=50&epoch=e2"));
    }

    private static byte[] inEpoch2(String version, String key) {
        String answer = new String(
                ScriptedServer.prompt(key, version, version + " of " + key, 50), StandardCharsets.ISO_8859_1);
        return answer.replace("Epoch: e1", "Epoch: e2").getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void aCopyThatArrivesFromALaggingReplicaIsFetchedAgain() {
        watch(30);
        server.answer(request -> request.target().contains("min_revision=30")
                ? ScriptedServer.prompt("k", "v2", "new", 30)
                : ScriptedServer.prompt("k", "v1", "old", 29));

        assertEquals("v1", client.getPrompt("k").version());

        assertEquals("k v2", Await.next(told));
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void aRefusedHandshakeIsToldAndNotRepeatedAtOnce(int status) {
        server.refuse(request -> ScriptedServer.error(status, "no"));
        client.watch();
        assertEquals("error " + status + ": no", Await.next(told));
        assertFalse(server.hasPeer());
    }

    @Test
    void anEndedTokenIsTold() {
        ScriptedServer.Peer peer = watch(0);
        peer.close(4401);
        assertEquals("disconnect", Await.next(told));
        assertTrue(Await.next(told).startsWith("error 401"));
        peer.awaitGone();
    }

    @ParameterizedTest
    @ValueSource(ints = {4408, 1001, 1012})
    void otherCloseCodesMeanToComeBack(int code) {
        watch(0).close(code);
        server.nextPeer(0);
        assertEquals("disconnect", Await.next(told));
        assertEquals("connect", Await.next(told));
    }

    @Test
    void pingsAreAnsweredAndFragmentsPutTogether() {
        serve("k", "v1", 1);
        ScriptedServer.Peer peer = watch(0);
        String event = "{\"type\":\"prompt.updated\",\"key\":\"k\",\"revision\":1}";

        peer.write(ScriptedServer.Peer.frame(0x01, event.substring(0, 9).getBytes(StandardCharsets.UTF_8)));
        peer.write(ScriptedServer.Peer.frame(0x89, "hi".getBytes(StandardCharsets.UTF_8)));
        peer.write(ScriptedServer.Peer.frame(0x80, event.substring(9).getBytes(StandardCharsets.UTF_8)));

        assertEquals("k v1", Await.next(told));
        String next;
        do {
            next = peer.next();
        } while (!next.startsWith("(pong)"));
        assertEquals("(pong)hi", next);
    }

    @Test
    void garbageEndsTheConnectionAndTheNextOneWorks() {
        byte[][] garbage = {
            "HTTP/1.1 400 Bad\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
            {(byte) TEXT, 127, 0x7F, 0, 0, 0, 0, 0, 0, 0},
            {(byte) TEXT, 127, (byte) 0xFF, 0, 0, 0, 0, 0, 0, 0},
            {(byte) TEXT, 2, (byte) 0xC3, 0x28},
        };
        serve("k", "v1", 1);
        ScriptedServer.Peer peer = watch(0);
        for (byte[] bytes : garbage) {
            // Something good first, so that the pause between connections does not grow.
            peer.heartbeat(0);
            peer.write(bytes);
            peer.awaitGone();
            peer = server.nextPeer(0);
            assertEquals("disconnect", Await.next(told));
            assertEquals("connect", Await.next(told));
        }
        peer.event("updated", "k", 1);
        assertEquals("k v1", Await.next(told));
    }

    @Test
    void aSilentConnectionIsDead() {
        Thread thread = new Thread(client::watch);
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer();
        peer.send("{\"type\":\"hello\",\"epoch\":\"e1\",\"revision\":0,\"heartbeat_seconds\":0.05}");
        peer.awaitGone();
        server.nextPeer(0);
    }

    @Test
    void aServerOfBeforeIsAskedForAllThatIsHeldAndForEachEvent() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        serve("k", "v2", 2);
        Thread thread = new Thread(() -> client.watch(key -> told.add(key + " " + version(key))));
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer();
        // While the hello is waited for: neither a message nor the end of the waiting.
        peer.write(ScriptedServer.Peer.frame(0x89, "a".getBytes(StandardCharsets.UTF_8)));

        assertEquals("(pong)a", peer.next());
        assertEquals("connect", Await.next(told));
        assertEquals("k v2", Await.next(told));
        serve("k", "v3", 3);
        peer.send("{\"type\":\"prompt.rolled_back\",\"key\":\"k\"}");
        assertEquals("k v3", Await.next(told));
        served.clear();
        peer.send("{\"type\":\"prompt.deleted\",\"key\":\"k\"}");
        assertEquals("k gone", Await.next(told));
        while (server.hasRequest()) {
            assertFalse(server.nextRequest().target().contains("min_revision"));
        }

        // A hello that comes late is one all the same.
        serve("k", "v5", 5);
        peer.hello(4);
        peer.resync("e1", 4);
        peer.event("published", "k", 5);
        assertEquals("k v5", Await.next(told));
        awaitApplied(peer, 5);
        assertTrue(told.isEmpty());
    }

    @Test
    void manyEventsBetweenManyConnectionsEndInTheNewestState() {
        Random random = new Random(20260101);
        for (int key = 0; key < 5; key++) {
            serve("k" + key, "v0", 0);
            client.getPrompt("k" + key);
        }
        ScriptedServer.Peer peer = watch(0);
        long revision = 0;
        long confirmed = 0;
        for (int round = 0; round < 200; round++) {
            revision++;
            String key = "k" + random.nextInt(5);
            long now = revision;
            served.replaceAll((each, answer) -> ScriptedServer.prompt(
                    each, each.equals(key) ? "v" + now : version(answer), "text", now));
            peer.event("published", key, revision);
            if (round % 50 == 49) {
                peer.cut();
                peer = server.nextPeer(revision);
                confirmed = since(peer);
                // What came after that is told again.
                for (int each = 0; each < 5; each++) {
                    peer.event("published", "k" + each, Math.max(confirmed + 1, revision));
                }
            }
        }
        peer.heartbeat(revision + 1);
        for (int key = 0; key < 5; key++) {
            String name = "k" + key;
            Await.until(() -> client.getPrompt(name).version().equals(version(served.get(name))));
        }
    }

    private static long since(ScriptedServer.Peer peer) {
        return Long.parseLong(peer.target().replaceAll(".*since=([0-9]+).*", "$1"));
    }

    private static String version(byte[] answer) {
        return new String(answer, StandardCharsets.UTF_8).replaceAll("(?s).*\"version\":\"([^\"]*)\".*", "$1");
    }

    @Test
    void aListenerThatFailsEndsNothing() {
        serve("k", "v1", 1);
        client.close();
        client = PromptOpsClient.builder(server.url())
                .onUpdate(update -> {
                    throw new IllegalStateException("the program's fault");
                })
                .onConnect(() -> told.add("connect"))
                .build();
        ScriptedServer.Peer peer = watch(0);
        peer.event("updated", "k", 1);
        assertEquals("k v1", Await.next(told));
    }
}
