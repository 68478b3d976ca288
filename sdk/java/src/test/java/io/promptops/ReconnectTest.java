package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReconnectTest extends WatchFixture {
    private static final int TEXT = 0x81;

    @Test
    void aNewConnectionResumesWithoutFetching() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        server.nextRequest();
        ScriptedServer.Peer peer = watch(1);
        peer.heartbeat(6);
        awaitApplied(peer, 6);

        peer.cut();
        assertEquals("disconnect", Await.next(notifications));
        assertEquals("v1", client.getPrompt("k").version());
        ScriptedServer.Peer next = server.nextPeer(8);

        assertEquals("connect", Await.next(notifications));
        assertTrue(next.target().endsWith("&since=6&epoch=e1"));
        assertEquals("{\"type\":\"holding\",\"keys\":[\"k\"]}", next.next());
        serve("k", "v2", 8);
        next.event("published", "k", 8);
        assertEquals("k v2", Await.next(notifications));
        server.nextRequest();
        assertFalse(server.hasRequest());
    }

    @Test
    void aResyncRefetchesCachedPromptsAndNotifiesOfChanges() {
        serve("same", "v1", 1);
        serve("other", "v1", 1);
        client.getPrompt("same");
        client.getPrompt("other");
        ScriptedServer.Peer peer = watch(1);
        served.put("same", ScriptedServer.prompt("same", "v1", "v1 of same", 1));
        served.replaceAll((key, answer) -> inEpoch2(key.equals("same") ? "v1" : "v2", key));

        peer.resync("e2", 50);

        assertEquals("other v2", Await.next(notifications));
        awaitApplied(peer, 50);
        peer.cut();
        assertEquals("disconnect", Await.next(notifications));
        assertTrue(server.nextPeer().target().endsWith("&since=50&epoch=e2"));
    }

    private static byte[] inEpoch2(String version, String key) {
        String answer = new String(
                ScriptedServer.prompt(key, version, version + " of " + key, 50), StandardCharsets.ISO_8859_1);
        return answer.replace("Epoch: e1", "Epoch: e2").getBytes(StandardCharsets.ISO_8859_1);
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void aRefusedHandshakeNotifiesAndIsNotRepeatedImmediately(int status) {
        server.refuse(request -> ScriptedServer.error(status, "no"));
        client.watch();
        assertEquals("error " + status + ": no", Await.next(notifications));
        assertFalse(server.hasPeer());
    }

    @Test
    void anExpiredTokenNotifies() {
        ScriptedServer.Peer peer = watch(0);
        peer.close(4401);
        assertEquals("disconnect", Await.next(notifications));
        assertTrue(Await.next(notifications).startsWith("error 401"));
        peer.awaitGone();
    }

    @ParameterizedTest
    @ValueSource(ints = {4408, 1001, 1012})
    void otherCloseCodesCauseAReconnect(int code) {
        watch(0).close(code);
        server.nextPeer(0);
        assertEquals("disconnect", Await.next(notifications));
        assertEquals("connect", Await.next(notifications));
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
            // A valid message first, so that the pause between connections does not grow.
            peer.heartbeat(0);
            peer.write(bytes);
            peer.awaitGone();
            peer = server.nextPeer(0);
            assertEquals("disconnect", Await.next(notifications));
            assertEquals("connect", Await.next(notifications));
        }
        peer.event("updated", "k", 1);
        assertEquals("k v1", Await.next(notifications));
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
    void anOlderServerCausesARefetchOfAllCachedPromptsAndOfEachEvent() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        serve("k", "v2", 2);
        Thread thread = new Thread(() -> client.watch(key -> notifications.add(key + " " + version(key))));
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer();
        // During the wait for the hello: neither a message nor the end of the wait.
        peer.write(ScriptedServer.Peer.frame(0x89, "a".getBytes(StandardCharsets.UTF_8)));

        assertEquals("(pong)a", peer.next());
        assertEquals("connect", Await.next(notifications));
        assertEquals("k v2", Await.next(notifications));
        serve("k", "v3", 3);
        peer.send("{\"type\":\"prompt.rolled_back\",\"key\":\"k\"}");
        assertEquals("k v3", Await.next(notifications));
        served.clear();
        peer.send("{\"type\":\"prompt.deleted\",\"key\":\"k\"}");
        assertEquals("k gone", Await.next(notifications));
        while (server.hasRequest()) {
            assertFalse(server.nextRequest().target().contains("min_revision"));
        }

        // A late hello still counts.
        serve("k", "v5", 5);
        peer.hello(4);
        peer.resync("e1", 4);
        peer.event("published", "k", 5);
        assertEquals("k v5", Await.next(notifications));
        awaitApplied(peer, 5);
        assertTrue(notifications.isEmpty());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theWatchContinuesAfterAnyException(boolean isError) {
        ThrowingTls tls = new ThrowingTls(isError);
        PromptOpsClient failing = open(PromptOpsClient.builder(server.url().replace("http:", "https:")).sslContext(tls));
        failing.watch();
        Await.until(() -> tls.uses() >= 3);
        failing.close();
    }

    @Test
    void theClientReturnsTheServersCloseFrame() {
        ScriptedServer.Peer peer = watch(0);
        peer.close(1012);
        peer.awaitClose();
    }

    @Test
    void unknownMessagesConfirmNothing() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        ScriptedServer.Peer peer = watch(1);
        Await.until(() -> client.getPrompt("k").age().toMillis() > 50);
        Duration before = client.getPrompt("k").age();

        peer.send("not JSON");
        peer.send("{\"type\":\"something.new\"}");
        awaitPong(peer);

        assertTrue(client.getPrompt("k").age().compareTo(before) > 0);
    }
}
