package io.promptops.internal.json;

/** A text is not JSON, or exceeds the limits. */
public final class JsonException extends Exception {
    private static final long serialVersionUID = 1L;

    JsonException(String message) {
        super(message);
    }
}
