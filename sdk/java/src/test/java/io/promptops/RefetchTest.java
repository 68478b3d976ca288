package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RefetchTest extends WatchFixture {
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
    void aCopyThatArrivesFromALaggingReplicaIsFetchedAgain() {
        watch(30);
        server.answer(request -> request.target().contains("min_revision=30")
                ? ScriptedServer.prompt("k", "v2", "new", 30)
                : ScriptedServer.prompt("k", "v1", "old", 29));

        assertEquals("v1", client.getPrompt("k").version());

        assertEquals("k v2", Await.next(told));
    }

    @Test
    void a404OfAnOlderRevisionThanTheEventIsNoFact() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        ScriptedServer.Peer peer = watch(1);
        served.put("k", ScriptedServer.notFound(4));
        peer.event("published", "k", 5);
        Await.until(() -> server.requests() >= 2);
        assertEquals("v1", client.getPrompt("k").version());

        served.put("k", ScriptedServer.notFound(5));

        assertEquals("k gone", Await.next(told));
    }
}
