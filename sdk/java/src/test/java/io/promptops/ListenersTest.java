package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ListenersTest extends WatchFixture {
    @Test
    void oneThatFailsEndsNothing() {
        serve("k", "v1", 1);
        client.close();
        client = open(PromptOpsClient.builder(server.url()).onUpdate(update -> {
            throw new IllegalStateException("the program's fault");
        }));
        ScriptedServer.Peer peer = watch(0);
        peer.event("updated", "k", 1);
        assertEquals("k v1", Await.next(told));
    }
}
