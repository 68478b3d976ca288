package io.promptops.internal.net;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WebSocketTest {
    private static final long TIMEOUT = TimeUnit.MILLISECONDS.toNanos(500);

    private final Timer timer = new Timer(true);
    private RawServer server;
    private Connector connector;

    @AfterEach
    void close() {
        timer.cancel();
        connector.close();
        server.close();
    }

    private Runnable after(long nanoseconds, Runnable ring) {
        TimerTask task = new TimerTask() {
            @Override
            public void run() {
                ring.run();
            }
        };
        timer.schedule(task, TimeUnit.NANOSECONDS.toMillis(nanoseconds));
        return task::cancel;
    }

    private WebSocket open(String answer) throws IOException {
        server = new RawServer(answer);
        connector = new Connector(ServerAddress.parse(server.url()), null, null);
        Requests requests = new Requests(connector.address(), "secret", "agent");
        return WebSocket.open(connector, requests, "/ws", TIMEOUT, this::after);
    }

    @Test
    void aPeerThatDoesNotReadIsCutAfterTheTimeOut() throws IOException {
        WebSocket socket = open("HTTP/1.1 101 Go\r\nConnection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n"
                + "Sec-WebSocket-Accept: " + RawServer.ACCEPTED + "\r\n\r\n");
        String text = "x".repeat(1 << 20);
        long begin = System.nanoTime();

        assertThrows(IOException.class, () -> {
            for (int number = 0; number < 1000; number++) {
                socket.send(text);
            }
        });

        assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(10));
    }

    @Test
    void theHandshakeNeedsAValidResponse() {
        String accepted = "Sec-WebSocket-Accept: " + RawServer.ACCEPTED + "\r\n\r\n";
        assertThrows(BadResponseException.class, () -> open("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n" + accepted));
        close();
        assertThrows(BadResponseException.class, () -> open("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n" + accepted));
    }
}
