package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.promptops.internal.net.Connector;
import io.promptops.internal.net.Requests;
import io.promptops.internal.net.ServerAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RefetchTest extends WatchFixture {
    private static final Duration TIMEOUT = Duration.ofSeconds(5);

    @Test
    void appliedWaitsForTheRefetchAndFailuresAreTriedAgain() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        ScriptedServer.Peer peer = watch(1);
        served.put("k", ScriptedServer.error(503, "replica is behind"));
        peer.event("published", "k", 5);
        peer.heartbeat(8);
        awaitApplied(peer, 4);

        int asked = server.requests();
        serve("k", "v0", 4);
        Await.until(() -> server.requests() > asked + 1);
        assertEquals("v1", client.getPrompt("k").version());
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

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whateverIsThrownByARefetchItIsTriedAgain(boolean isError) {
        ThrowingTls tls = new ThrowingTls(isError);
        Threads threads = new Threads();
        Closing closing = new Closing();
        Connector connector = new Connector(ServerAddress.parse(server.url().replace("http:", "https:")), tls);
        Fetcher fetcher = new Fetcher(connector, new Requests(connector.address(), "secret", "agent"), "prod", "");
        PromptStore store = new PromptStore(
                fetcher, null, Bundle.load(null, "prod"), closing, threads.fetching(), TIMEOUT, Duration.ofSeconds(60));
        Listeners listeners = new Listeners(threads.telling(), closing);
        listeners.onUpdate(update -> told.add(update.key()));
        Following following = new Following(store, threads, closing, listeners);
        store.setObserver(following);
        following.connected(new Event.Hello("e1", 0, 10), null);

        following.take(new Event.Changed("prompt.updated", "k", 1));

        Await.until(() -> tls.uses() >= 3);
        closing.close();
        connector.close();
        threads.close(5000);
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void refusalsAreToldOnceARoundAndLeaveTheServerInPeace(int status) {
        ScriptedServer.Peer peer = watchRefused(status);

        assertEquals("error " + status + ": no", Await.next(told));
        while (server.requestWithin(Duration.ofMillis(700))) {
            continue;
        }
        assertTrue(told.isEmpty());
        serve("a", "v2", 2);
        serve("b", "v2", 3);
        long begin = System.nanoTime();

        peer.event("published", "a", 2);

        assertEquals("a v2", Await.next(told));
        // The pause of the other one ends too.
        assertEquals("b v2", Await.next(told));
        assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(8));
    }

    @Test
    void aNewConnectionEndsThePauses() {
        ScriptedServer.Peer peer = watchRefused(401);
        assertEquals("error 401: no", Await.next(told));
        serve("a", "v2", 2);
        serve("b", "v2", 3);
        long begin = System.nanoTime();

        peer.cut();
        server.nextPeer(3);

        assertEquals("disconnect", Await.next(told));
        assertEquals("connect", Await.next(told));
        assertTrue(Await.next(told).endsWith(" v2"));
        assertTrue(Await.next(told).endsWith(" v2"));
        assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(8));
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

    @Test
    void aResyncKeepsWhatWasToBeTold() {
        ScriptedServer.Peer peer = watch(0);
        served.put("new", ScriptedServer.error(503, "busy"));
        peer.event("published", "new", 3);
        Await.until(server::hasRequest);
        peer.resync("e1", 5);
        awaitPong(peer);

        serve("new", "v1", 5);

        assertEquals("new v1", Await.next(told));
    }

    /** Two prompts whose events' refetches have been refused. */
    private ScriptedServer.Peer watchRefused(int status) {
        serve("a", "v1", 1);
        serve("b", "v1", 1);
        client.getPrompt("a");
        client.getPrompt("b");
        ScriptedServer.Peer peer = watch(1);
        served.replaceAll((key, answer) -> ScriptedServer.error(status, "no"));
        peer.event("published", "a", 2);
        peer.event("published", "b", 3);
        Await.until(() -> server.requests() >= 2);
        return peer;
    }
}
