package io.promptops;

/** Something answered, but not as PromptOps does: is the server's address right? */
public final class ProtocolException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    ProtocolException(String message, Throwable cause) {
        super(message, cause);
    }
}
