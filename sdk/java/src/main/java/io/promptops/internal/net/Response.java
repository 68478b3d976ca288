package io.promptops.internal.net;

import java.util.Map;

/** An answer of any status; names of headers are in lower case. */
public record Response(int status, Map<String, String> headers, byte[] body) {
    /** The header, or null. */
    public String header(String name) {
        return headers.get(name);
    }
}
