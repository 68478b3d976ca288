package io.promptops.internal.net;

import java.util.Arrays;
import java.util.Map;

/** A response with any status; header names are in lower case. */
public record Response(int status, Map<String, String> headers, byte[] body) {
    /** The header, or null. */
    public String header(String name) {
        return headers.get(name);
    }

    /** Whether a list in a header contains this token, in any case. */
    static boolean has(Map<String, String> headers, String name, String token) {
        return Arrays.stream(headers.getOrDefault(name, "").split(","))
                .anyMatch(value -> value.strip().equalsIgnoreCase(token));
    }
}
