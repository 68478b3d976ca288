package io.promptops;

/** Refuses arguments that are null, in words. */
final class Required {
    private Required() {}

    static <T> T argument(T value, String name) {
        if (value == null) {
            throw new IllegalArgumentException(name + " must not be null");
        }
        return value;
    }
}
