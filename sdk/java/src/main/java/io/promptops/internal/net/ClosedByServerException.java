package io.promptops.internal.net;

import java.io.IOException;

/** The server closed a WebSocket; the code is that of RFC 6455, 1005 if it sent none. */
public final class ClosedByServerException extends IOException {
    private static final long serialVersionUID = 1L;

    private static final int NO_CODE = 1005;

    private final int code;

    ClosedByServerException(int code, String reason) {
        super("the server closed the connection: " + code + (reason.isEmpty() ? "" : " " + reason));
        this.code = code;
    }

    public int code() {
        return code;
    }

    /** Whether the server sent a code: 1005 is never sent. */
    boolean hasCode() {
        return code != NO_CODE;
    }

    static ClosedByServerException withoutCode() {
        return new ClosedByServerException(NO_CODE, "");
    }
}
