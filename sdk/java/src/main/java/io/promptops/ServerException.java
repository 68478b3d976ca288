package io.promptops;

/** 5xx: the server failed; trying again later may help. */
public final class ServerException extends ResponseException {
    private static final long serialVersionUID = 1L;

    ServerException(int status, String message) {
        super(status, message);
    }
}
