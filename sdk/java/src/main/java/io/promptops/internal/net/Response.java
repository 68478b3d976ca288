package io.promptops.internal.net;

import java.util.Arrays;
import java.util.Map;

/** An answer of any status; names of headers are in lower case. */
public record Response(int status, Map<String, String> headers, byte[] body) {
    /** The header, or null. */
    public String header(String name) {
        return headers.get(name);
    }

    /** Whether a header that is a list has this token, in any case. */
    static boolean has(Map<String, String> headers, String name, String token) {
        return Arrays.stream(headers.getOrDefault(name, "").split(","))
                .anyMatch(each -> each.strip().equalsIgnoreCase(token));
    }
}
