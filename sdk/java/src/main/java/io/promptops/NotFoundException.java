package io.promptops;

/** 404: no such prompt in this namespace. */
public final class NotFoundException extends ResponseException {
    private static final long serialVersionUID = 1L;

    NotFoundException(int status, String message) {
        super(status, message);
    }
}
