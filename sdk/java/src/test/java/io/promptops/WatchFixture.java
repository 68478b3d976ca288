package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;

/** A client that watches a scripted server, and its notifications of prompts, connections and errors. */
abstract class WatchFixture {
    final ScriptedServer server = new ScriptedServer();
    final BlockingQueue<String> notifications = new LinkedBlockingQueue<>();
    final Map<String, byte[]> served = new ConcurrentHashMap<>();
    PromptOpsClient client = open(PromptOpsClient.builder(server.url()).timeout(Duration.ofSeconds(5)));

    WatchFixture() {
        server.answer(request -> served.getOrDefault(request.key(), ScriptedServer.notFound(1_000_000)));
    }

    PromptOpsClient open(PromptOpsClient.Builder builder) {
        return builder.token("secret")
                .appName("my shop")
                .onConnect(() -> notifications.add("connect"))
                .onDisconnect(() -> notifications.add("disconnect"))
                .onError(error -> notifications.add("error " + error.getMessage()))
                .build();
    }

    void serve(String key, String version, long revision) {
        served.put(key, ScriptedServer.prompt(key, version, version + " of " + key, revision));
    }

    /** Watches in the background, because the server has to send its hello first. */
    ScriptedServer.Peer watch(long revision) {
        Thread thread = new Thread(() -> client.watch(key -> notifications.add(key + " " + version(key))));
        thread.start();
        ScriptedServer.Peer peer = server.nextPeer(revision);
        assertEquals("connect", Await.next(notifications));
        peer.resync("e1", revision);
        assertTrue(peer.target().endsWith("&since=0"));
        awaitApplied(peer, revision);
        while (server.hasRequest()) {
            server.nextRequest();
        }
        return peer;
    }

    static void awaitApplied(ScriptedServer.Peer peer, long revision) {
        peer.await("{\"type\":\"applied\",\"revision\":" + revision + "}");
    }

    /** Waits until the client has read everything. */
    static void awaitPong(ScriptedServer.Peer peer) {
        peer.write(ScriptedServer.Peer.frame(0x89, "read?".getBytes(StandardCharsets.UTF_8)));
        peer.await("(pong)read?");
    }

    static String holding(ScriptedServer.Peer peer) {
        String next;
        do {
            next = peer.next();
        } while (!next.contains("holding"));
        return next;
    }

    String version(String key) {
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
}
