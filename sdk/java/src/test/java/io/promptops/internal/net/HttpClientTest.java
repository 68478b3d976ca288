package io.promptops.internal.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HttpClientTest {
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    private static long in(long milliseconds) {
        return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
    }

    private static HttpClient client(Connector connector, long longestIdle) {
        return new HttpClient(connector, new Requests(connector.address(), "secret", "agent"), longestIdle);
    }

    @Test
    void aConnectionWithUnreadBytesIsNotUsedAgain() throws IOException {
        try (RawServer server = new RawServer(OK + "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) {
            Connector connector = new Connector(ServerAddress.parse(server.url()), null, null);
            HttpClient client = client(connector, Long.MAX_VALUE);
            for (int number = 1; number < 4; number++) {
                Response response = client.get("/", null, in(5000));
                assertEquals(200, response.status());
                assertArrayEquals("{}".getBytes(StandardCharsets.US_ASCII), response.body());
                assertEquals(number, server.connections());
            }
            connector.close();
        }
    }

    @Test
    void aConnectionThatWasIdleForLongIsNotUsedAgain() throws IOException {
        try (RawServer server = new RawServer(OK)) {
            Connector connector = new Connector(ServerAddress.parse(server.url()), null, null);
            HttpClient client = client(connector, 0);
            // The server never responds to a second request.
            client.get("/", null, in(5000));
            client.get("/", null, in(5000));
            assertEquals(1, connector.openConnections());
            connector.close();
        }
    }

    @Test
    void theDeadlineAppliesUnderTls() {
        // The record of a handshake that never ends.
        byte[] record = {22, 3, 3, 0x3F, (byte) 0xFF};
        try (RawServer server = RawServer.dripping(record)) {
            Connector connector = new Connector(ServerAddress.parse(server.url().replace("http:", "https:")), null, null);
            long begin = System.nanoTime();
            assertThrows(
                    SocketTimeoutException.class, () -> client(connector, 0).get("/", null, in(300)));
            assertTrue(System.nanoTime() - begin < TimeUnit.SECONDS.toNanos(5));
            connector.close();
        }
    }

    @Test
    void bodiesAreBounded() {
        String head = "HTTP/1.1 200 OK\r\nContent-Length: " + (16 * 1024 * 1024 + 1) + "\r\n\r\n";
        try (RawServer server = new RawServer(head)) {
            Connector connector = new Connector(ServerAddress.parse(server.url()), null, null);
            assertThrows(BadResponseException.class, () -> client(connector, 0).get("/", null, in(5000)));
            connector.close();
        }
    }

    @Test
    void eachAddressOfAHostGetsItsShareOfTheTime() {
        long second = TimeUnit.SECONDS.toNanos(1);
        assertEquals(second, Connector.share(3 * second, 3));
        assertEquals(3 * second, Connector.share(3 * second, 1));
        assertEquals(TimeUnit.MILLISECONDS.toNanos(250), Connector.share(second / 2, 10));
        assertTrue(IntStream.range(1, 9).allMatch(addresses -> Connector.share(1000, addresses) == 1000));
    }
}
