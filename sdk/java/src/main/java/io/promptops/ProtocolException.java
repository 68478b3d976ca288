package io.promptops;

/** The response does not come from PromptOps: is the server's address right? */
public final class ProtocolException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    ProtocolException(String message, Throwable cause) {
        super(message, cause);
    }
}
