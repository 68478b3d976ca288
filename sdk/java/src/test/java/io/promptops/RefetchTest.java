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
    void appliedWaitsForTheRefetchAndFailuresAreRetried() {
        serve("k", "v1", 1);
        client.getPrompt("k");
        ScriptedServer.Peer peer = watch(1);
        served.put("k", ScriptedServer.error(503, "replica is behind"));
        peer.event("published", "k", 5);
        peer.heartbeat(8);
        awaitApplied(peer, 4);

        int requestsBefore = server.requests();
        serve("k", "v0", 4);
        Await.until(() -> server.requests() > requestsBefore + 1);
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

        assertEquals("k v2", Await.next(notifications));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aRefetchIsRetriedAfterAnyException(boolean isError) {
        ThrowingTls tls = new ThrowingTls(isError);
        Threads threads = new Threads();
        Closing closing = new Closing();
        Connector connector = new Connector(ServerAddress.parse(server.url().replace("http:", "https:")), tls, null);
        FetchPolicy fetcher = new FetchPolicy(connector, new Requests(connector.address(), "secret", "agent"), "prod", "");
        PromptStore store = new PromptStore(
                fetcher, null, Bundle.load(null, "prod"), closing, threads.fetching(), TIMEOUT, Duration.ofSeconds(60));
        Listeners listeners = new Listeners(threads.notifying(), closing);
        listeners.onUpdate(update -> notifications.add(update.key()));
        SyncState following = new SyncState(store, threads, closing, listeners);
        store.setObserver(following);
        following.connected(new Event.Hello("e1", 0, 10), null);

        following.handleEvent(new Event.Changed("prompt.updated", "k", 1));

        Await.until(() -> tls.uses() >= 3);
        closing.close();
        connector.close();
        threads.close(5000);
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void refusalsNotifyOnceARoundAndPauseRequests(int status) {
        ScriptedServer.Peer peer = watchRefused(status);

        assertEquals("error " + status + ": no", Await.next(notifications));
        while (server.requestWithin(Duration.ofMillis(700))) {
            continue;
        }
        assertTrue(notifications.isEmpty());
        serve("a", "v2", 2);
        serve("b", "v2", 3);
        long begin = System.nanoTime();

        peer.event("published", "a", 2);

        assertEquals("a v2", Await.next(notifications));
        // The pause of the other key ends, too.
        assertEquals("b v2", Await.next(notifications));
        assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(8));
    }

    @Test
    void aNewConnectionEndsThePauses() {
        ScriptedServer.Peer peer = watchRefused(401);
        assertEquals("error 401: no", Await.next(notifications));
        serve("a", "v2", 2);
        serve("b", "v2", 3);
        long begin = System.nanoTime();

        peer.cut();
        server.nextPeer(3);

        assertEquals("disconnect", Await.next(notifications));
        assertEquals("connect", Await.next(notifications));
        assertTrue(Await.next(notifications).endsWith(" v2"));
        assertTrue(Await.next(notifications).endsWith(" v2"));
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

        assertEquals("k gone", Await.next(notifications));
    }

    @Test
    void aResyncKeepsPendingNotifications() {
        ScriptedServer.Peer peer = watch(0);
        served.put("new", ScriptedServer.error(503, "busy"));
        peer.event("published", "new", 3);
        Await.until(server::hasRequest);
        peer.resync("e1", 5);
        awaitPong(peer);

        serve("new", "v1", 5);

        assertEquals("new v1", Await.next(notifications));
    }

    /** Prepares two prompts whose refetches were refused. */
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
