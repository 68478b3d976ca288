package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ListenersTest extends WatchFixture {
    static List<Throwable> failures() {
        return List.of(
                new IllegalStateException("the program's fault"),
                new AssertionError("the program's fault"),
                new IOException("which the compiler did not see"));
    }

    @ParameterizedTest
    @MethodSource("failures")
    void oneThatFailsEndsNothing(Throwable failure) {
        client.close();
        client = open(PromptOpsClient.builder(server.url())
                .onUpdate(update -> ListenersTest.<RuntimeException>fail(failure)));
        ScriptedServer.Peer peer = watch(0);
        for (int revision = 1; revision < 4; revision++) {
            serve("k", "v" + revision, revision);
            peer.event("updated", "k", revision);
            assertEquals("k v" + revision, Await.next(notifications));
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void fail(Throwable failure) throws T {
        throw (T) failure;
    }

    @Test
    void hangingFetchesDelayNeitherListenersNorReportsNorTheCloseFrame() {
        client.close();
        client = open(PromptOpsClient.builder(server.url()).timeout(Duration.ofSeconds(50)));
        CountDownLatch end = new CountDownLatch(1);
        ScriptedServer.Peer peer = watch(0);
        server.answer(request -> {
            if (request.key().startsWith("slow")) {
                CloseTest.awaitQuietly(end);
            }
            return ScriptedServer.prompt(request.key(), "v1", "text", 1);
        });
        for (int number = 0; number < 8; number++) {
            peer.event("published", "slow" + number, 1);
        }
        Await.until(() -> server.requests() >= 4);

        client.getPrompt("quick");
        assertEquals("{\"type\":\"holding\",\"keys\":[\"quick\"]}", holding(peer));
        peer.cut();
        assertEquals("disconnect", Await.next(notifications));
        ScriptedServer.Peer next = server.nextPeer(0);
        assertEquals("connect", Await.next(notifications));
        client.close();

        next.awaitClose();
        end.countDown();
    }
}
