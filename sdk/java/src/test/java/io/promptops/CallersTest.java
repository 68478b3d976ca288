package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CallersTest {
    private final ScriptedServer server = new ScriptedServer();
    private final PromptOpsClient client = new PromptOpsClient(server.url());

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        client.close();
        server.close();
    }

    @Test
    void anInterruptedOneReachesTheServerAndTheDisk() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "text", 1));
        try (PromptOpsClient saving = PromptOpsClient.builder(server.url()).cacheDir(folder).build()) {
            Thread.currentThread().interrupt();
            assertEquals(Source.SERVER, saving.getPrompt("k").source());
            assertTrue(Thread.interrupted());
        }
        server.answer(request -> null);
        try (PromptOpsClient reading = PromptOpsClient.builder(server.url()).cacheDir(folder).build()) {
            Thread.currentThread().interrupt();
            assertEquals(Source.DISK, reading.getPrompt("k").source());
            assertTrue(Thread.interrupted());
        }
    }

    @Test
    void anErrorThatIsThrownAgainDoesNotGrow() {
        server.close();
        PromptOpsException first = assertThrows(PromptOpsException.class, () -> client.getPrompt("k"));
        for (int round = 0; round < 100; round++) {
            PromptOpsException again = assertThrows(PromptOpsException.class, () -> client.getPrompt("k"));
            again.addSuppressed(new IllegalStateException("as try-with-resources does"));
        }
        assertEquals(0, first.getSuppressed().length);
    }

    @Test
    void aCallerJustAfterAFetchStartsNoOtherOne() throws Exception {
        server.answer(request -> ScriptedServer.prompt(request.key(), "v1", "text", 1));
        ExecutorService threads = Executors.newFixedThreadPool(8);
        int keys = 300;
        try {
            for (int number = 0; number < keys; number++) {
                String key = "k" + number;
                CyclicBarrier together = new CyclicBarrier(8);
                List<Future<Prompt>> answers = new ArrayList<>();
                for (int caller = 0; caller < 8; caller++) {
                    answers.add(threads.submit(() -> {
                        together.await();
                        return client.getPrompt(key);
                    }));
                }
                for (Future<Prompt> answer : answers) {
                    answer.get();
                }
            }
        } finally {
            threads.shutdownNow();
        }
        assertEquals(keys, server.requests());
    }

    @Test
    void withACopyOnDiskOnlyOneCallWaitsForAServerThatHangs() {
        server.answer(request -> ScriptedServer.prompt("k", "v1", "old", 1));
        try (PromptOpsClient saving = PromptOpsClient.builder(server.url()).cacheDir(folder).build()) {
            saving.getPrompt("k");
        }
        CountDownLatch end = new CountDownLatch(1);
        server.answer(request -> {
            CloseTest.awaitQuietly(end);
            return ScriptedServer.prompt("k", "v2", "new", 2);
        });
        try (PromptOpsClient reading = PromptOpsClient.builder(server.url())
                .cacheDir(folder)
                .timeout(Duration.ofSeconds(2))
                .build()) {
            assertEquals(Source.DISK, reading.getPrompt("k").source());
            int before = server.requests();
            long[] longest = new long[1];
            Await.until(() -> {
                long begin = System.nanoTime();
                assertEquals(Source.DISK, reading.getPrompt("k").source());
                longest[0] = Math.max(longest[0], System.nanoTime() - begin);
                return server.requests() > before;
            });
            assertTrue(longest[0] < Duration.ofSeconds(1).toNanos(), "waited " + longest[0] + " ns");
            end.countDown();
            Await.until(() -> reading.getPrompt("k").content().equals("new"));
            assertEquals(Source.MEMORY, reading.getPrompt("k").source());
        }
    }
}
