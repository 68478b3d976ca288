package io.promptops.internal.net;

import java.io.IOException;

/** Something answered, but not as a PromptOps server does. */
public final class BadAnswerException extends IOException {
    private static final long serialVersionUID = 1L;

    public BadAnswerException(String message) {
        super(message);
    }
}
