package io.promptops.internal.net;

import java.io.IOException;

/** The response does not come from a PromptOps server. */
public final class BadResponseException extends IOException {
    private static final long serialVersionUID = 1L;

    public BadResponseException(String message) {
        super(message);
    }
}
