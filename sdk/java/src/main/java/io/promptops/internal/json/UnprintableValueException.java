package io.promptops.internal.json;

/** A value has no JSON form: its type is unknown to JSON, or it contains itself. */
public final class UnprintableValueException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UnprintableValueException(String message) {
        super(message);
    }
}
