package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WatchTest extends WatchFixture {
    @Test
    void theFirstConnectionRefetchesCachedPrompts() {
        serve("a", "v1", 9);
        serve("b", "v1", 7);
        client.getPrompt("a");
        client.getPrompt("b");

        Thread thread = new Thread(client::watch);
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer(9);
        assertEquals("/ws?client=java&version=0.1.0&app=my%20shop&namespace=prod&since=0", peer.target());
        assertEquals("Bearer secret", peer.header("authorization"));
        assertEquals("promptops-java/0.1.0", peer.header("user-agent"));
        assertEquals("{\"type\":\"holding\",\"keys\":[\"a\",\"b\"]}", peer.next());
        serve("b", "v2", 9);

        peer.resync("e1", 9);

        awaitApplied(peer, 9);
        assertEquals("v2", client.getPrompt("b").version());
    }

    @Test
    void anEventIsRefetchedNotifiedAndAcknowledged() {
        serve("k", "v1", 7);
        client.getPrompt("k");
        server.nextRequest();
        ScriptedServer.Peer peer = watch(7);
        serve("k", "v2", 9);

        peer.event("published", "k", 9);

        assertEquals("k v2", Await.next(notifications));
        assertTrue(server.nextRequest().target().endsWith("&full=true&min_revision=9&epoch=e1"));
        awaitApplied(peer, 9);
        assertEquals("v2 of k", client.getPrompt("k").content());
        peer.heartbeat(20);
        awaitApplied(peer, 20);
    }

    @Test
    void promptsThatWereNotCachedNotifyToo() {
        ScriptedServer.Peer peer = watch(0);
        serve("new", "v1", 3);

        peer.event("updated", "new", 3);

        assertEquals("new v1", Await.next(notifications));
        assertEquals("{\"type\":\"holding\",\"keys\":[\"new\"]}", holding(peer));
    }

    @Test
    void aCopyThatACallerFetchedBeforeItsEventNotifiesOnce() {
        ScriptedServer.Peer peer = watch(2);
        serve("k", "v1", 3);
        client.getPrompt("k");
        serve("other", "v1", 4);

        peer.event("published", "k", 3);
        peer.event("published", "k", 3);
        peer.event("published", "other", 4);

        assertEquals("k v1", Await.next(notifications));
        assertEquals("other v1", Await.next(notifications));
    }

    @Test
    void deletedAndMissingPromptsAreRemoved() {
        serve("a", "v1", 1);
        serve("b", "v1", 1);
        client.getPrompt("a");
        client.getPrompt("b");
        ScriptedServer.Peer peer = watch(1);
        served.clear();

        peer.event("deleted", "a", 2);
        assertEquals("a gone", Await.next(notifications));
        peer.event("updated", "b", 3);
        assertEquals("b gone", Await.next(notifications));

        assertThrows(NotFoundException.class, () -> client.getPrompt("a"));
    }

    @Test
    void currentCopiesAreNotRefetched() {
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

    @Test
    void pingsGetPongsAndFragmentsAreJoined() {
        serve("k", "v1", 1);
        ScriptedServer.Peer peer = watch(0);
        String event = "{\"type\":\"prompt.updated\",\"key\":\"k\",\"revision\":1}";

        peer.write(ScriptedServer.Peer.frame(0x01, event.substring(0, 9).getBytes(StandardCharsets.UTF_8)));
        peer.write(ScriptedServer.Peer.frame(0x89, "hi".getBytes(StandardCharsets.UTF_8)));
        peer.write(ScriptedServer.Peer.frame(0x80, event.substring(9).getBytes(StandardCharsets.UTF_8)));

        assertEquals("k v1", Await.next(notifications));
        String next;
        do {
            next = peer.next();
        } while (!next.startsWith("(pong)"));
        assertEquals("(pong)hi", next);
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
            served.replaceAll((servedKey, answer) -> ScriptedServer.prompt(
                    servedKey, servedKey.equals(key) ? "v" + now : version(answer), "text", now));
            peer.event("published", key, revision);
            if (round % 50 == 49) {
                peer.cut();
                peer = server.nextPeer(revision);
                confirmed = since(peer);
                // The server resends later changes.
                for (int number = 0; number < 5; number++) {
                    peer.event("published", "k" + number, Math.max(confirmed + 1, revision));
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
}
