package io.promptops.internal.net;

import java.io.IOException;

/** The server responded to the handshake of a WebSocket with another status than 101. */
public final class RefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Response response;

    RefusedException(Response response) {
        super("the response to the handshake was " + response.status());
        this.response = response;
    }

    public Response response() {
        return response;
    }
}
