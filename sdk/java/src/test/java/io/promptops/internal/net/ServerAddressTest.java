package io.promptops.internal.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServerAddressTest {
    @ParameterizedTest
    @CsvSource({
        "http://localhost:8080/, localhost, 8080, ''",
        "https://[::1]:8443/base/, ::1, 8443, /base",
        "http://promptops_server:8080, promptops_server, 8080, ''",
        "HTTPS://a-b.example, a-b.example, 443, ''",
        "http://127.0.0.1:, 127.0.0.1, 80, ''",
    })
    void isParsed(String url, String host, int port, String path) {
        ServerAddress address = ServerAddress.parse(url);
        assertEquals(host, address.host());
        assertEquals(port, address.port());
        assertEquals(path, address.path());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://", "http://:80", "http://a:65536", "http://a:x", "http://a:-1", "http://[::1", "http://[]",
                "http://a]", "http://\u00fc", "http:a", "a"
            })
    void invalidAddressesAreRejected(String url) {
        assertThrows(IllegalArgumentException.class, () -> ServerAddress.parse(url));
    }

    @Test
    void theMessageHasNoSecrets() {
        for (String url : new String[] {
            "http://user:secret@host:8080", "http://host:8080?token=secret", "http://host:8080/#secret",
            "http://u:s/secret@host", "http://host?x=secret@y", "ht tp://u:secret@host"
        }) {
            String message = assertThrows(IllegalArgumentException.class, () -> ServerAddress.parse(url)).getMessage();
            assertFalse(message.contains("secret"), message);
        }
    }
}
