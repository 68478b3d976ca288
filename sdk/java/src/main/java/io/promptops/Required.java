package io.promptops;

/** Rejects null arguments with a clear message. */
final class Required {
    private Required() {}

    static <T> T argument(T value, String name) {
        if (value == null) {
            throw new IllegalArgumentException(name + " must not be null");
        }
        return value;
    }
}
