package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Failures of proxies; tests/sdk/conformance/test_proxies.py tests proxies that work. */
class ProxyTest {
    private static final String SERVER = "://prompts.example.invalid";

    private final BlockingQueue<Socket> connections = new LinkedBlockingQueue<>();
    private final ServerSocket listening;
    private final Thread accepting = new Thread(this::serve);
    private volatile String answer;

    ProxyTest() throws IOException {
        listening = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        accepting.start();
    }

    /** Responds to each connection's first bytes; without a response it leaves them unread. */
    private void serve() {
        try {
            while (true) {
                Socket socket = listening.accept();
                connections.add(socket);
                if (answer != null) {
                    socket.getInputStream().read(new byte[65536]);
                    socket.getOutputStream().write(answer.getBytes(StandardCharsets.ISO_8859_1));
                    socket.shutdownOutput();
                }
            }
        } catch (IOException closed) {
            return;
        }
    }

    @AfterEach
    void close() throws IOException, InterruptedException {
        listening.close();
        // Until then the port still accepts connections.
        accepting.join();
        for (Socket socket : connections) {
            socket.close();
        }
    }

    private String masked() {
        return "the proxy http://***@127.0.0.1:" + listening.getLocalPort();
    }

    private PromptOpsClient open(String scheme, Duration timeout) {
        String proxy = masked().replace("the proxy ", "").replace("***", "me:s3cret");
        return PromptOpsClient.builder(scheme + SERVER)
                .environment(Map.of("HTTP_PROXY", proxy, "HTTPS_PROXY", proxy))
                .timeout(timeout)
                .build();
    }

    private static PromptOpsException failure(PromptOpsClient client) {
        PromptOpsException failure = assertThrows(PromptOpsException.class, () -> client.getPrompt("greeting"));
        for (Throwable error = failure; error != null; error = error.getCause()) {
            assertFalse(String.valueOf(error.getMessage()).contains("s3cret"), error.getMessage());
        }
        return failure;
    }

    @ParameterizedTest
    @CsvSource({
        "https, 'HTTP/1.1 407 x\r\n\r\n', ServerUnreachableException, refused: 407; check its user and password",
        "http, 'HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n', ServerUnreachableException, refused: 407; check its user and password",
        "https, 'HTTP/1.1 403 x\r\n\r\n', ServerUnreachableException, refused: 403",
        "https, 'HTTP/1.1 200 OK\r\n\r\nmore', ProtocolException, sent an invalid response to CONNECT",
        "https, 'SSH-2.0-OpenSSH\r\n\r\n', ProtocolException, sent an invalid response to CONNECT",
        "https, '', ServerUnreachableException, ended the connection",
    })
    void theErrorNamesAProxyThatRefuses(String scheme, String bytes, String kind, String words) {
        answer = bytes;
        try (PromptOpsClient client = open(scheme, Duration.ofSeconds(10))) {
            PromptOpsException failure = failure(client);
            assertEquals(kind, failure.getClass().getSimpleName());
            assertTrue(failure.getMessage().contains(scheme + SERVER), failure.getMessage());
            assertTrue(failure.getMessage().endsWith(masked() + " " + words), failure.getMessage());
        }
    }

    @ParameterizedTest
    @CsvSource({"http", "https"})
    void theErrorNamesAMissingProxy(String scheme) throws IOException, InterruptedException {
        close();
        try (PromptOpsClient client = open(scheme, Duration.ofSeconds(10))) {
            String words = "can't reach " + scheme + SERVER + ": " + masked() + " can't be reached: Connection refused";
            assertEquals(words, failure(client).getMessage());
        }
    }

    @ParameterizedTest
    @CsvSource({"http", "https"})
    void theTimeOutNamesAProxyThatHangs(String scheme) {
        try (PromptOpsClient client = open(scheme, Duration.ofMillis(300))) {
            PromptOpsException failure = assertInstanceOf(RequestTimeoutException.class, failure(client));
            assertEquals(
                    "no complete response from " + scheme + SERVER + " through " + masked() + " within the time-out",
                    failure.getMessage());
        }
    }

    @Test
    void closeEndsRequestsThatWaitForTheProxy() {
        PromptOpsClient client = open("https", Duration.ofMinutes(10));
        CompletableFuture<PromptOpsException> fetching = CompletableFuture.supplyAsync(() -> failure(client));
        CompletableFuture<Void> watching = CompletableFuture.runAsync(client::watch);
        Await.next(connections);
        Await.next(connections);
        client.close();
        assertInstanceOf(ClientClosedException.class, fetching.join());
        watching.join();
        assertEquals(0, client.openConnections());
    }
}
