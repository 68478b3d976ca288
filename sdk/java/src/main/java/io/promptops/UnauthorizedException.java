package io.promptops;

/** 401: the token is missing, unknown or expired. */
public final class UnauthorizedException extends ResponseException {
    private static final long serialVersionUID = 1L;

    UnauthorizedException(int status, String message) {
        super(status, message);
    }
}
