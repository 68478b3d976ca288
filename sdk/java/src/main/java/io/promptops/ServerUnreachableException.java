package io.promptops;

/** No response: connection refused or lost, host not found, TLS failed. */
public class ServerUnreachableException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    ServerUnreachableException(String message, Throwable cause) {
        super(message, cause);
    }
}
