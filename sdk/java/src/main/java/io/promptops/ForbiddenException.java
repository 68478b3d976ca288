package io.promptops;

/** 403: the token's role may not do this. */
public final class ForbiddenException extends ResponseException {
    private static final long serialVersionUID = 1L;

    ForbiddenException(int status, String message) {
        super(status, message);
    }
}
