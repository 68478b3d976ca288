package io.promptops;

/** The response was not complete within the client's time-out. */
public final class RequestTimeoutException extends ServerUnreachableException {
    private static final long serialVersionUID = 1L;

    RequestTimeoutException(String message, Throwable cause) {
        super(message, cause);
    }
}
