package io.promptops.internal.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.promptops.ConformanceCases;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class ProxyVariablesTest {
    @TestFactory
    Stream<DynamicTest> whichProxyIsMeantForWhichServer() {
        return ConformanceCases.of(ConformanceCases.read("proxies.json")).stream()
                .map(testCase -> DynamicTest.dynamicTest((String) testCase.get("name"), () -> check(testCase)));
    }

    private static void check(Map<?, ?> expected) {
        if (expected.containsKey("refused")) {
            String message = assertThrows(IllegalArgumentException.class, () -> proxy(expected)).getMessage();
            assertEquals(expected.get("refused"), message);
            return;
        }
        HttpProxy proxy = proxy(expected);
        assertEquals(expected.get("proxy"), proxy == null ? null : proxy.host() + ":" + proxy.port());
        if (expected.containsKey("authorization")) {
            Object login = expected.get("authorization");
            assertEquals(login == null ? "" : "Proxy-Authorization: " + login + "\r\n", proxy.headers());
            assertFalse(proxy.toString().contains("secret"), proxy.toString());
        }
    }

    private static HttpProxy proxy(Map<?, ?> expected) {
        Map<String, String> environment = new HashMap<>();
        ((Map<?, ?>) expected.get("environment")).forEach((name, value) -> environment.put((String) name, (String) value));
        return new ProxyVariables(environment).proxyFor(ServerAddress.parse((String) expected.get("server")));
    }
}
