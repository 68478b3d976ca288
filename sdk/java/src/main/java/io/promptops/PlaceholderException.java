package io.promptops;

import java.util.OptionalInt;

/** A variable's value can't fill its placeholder in a chat prompt. */
public final class PlaceholderException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    private final String name;
    private final int index;

    PlaceholderException(String name, String reason, int index) {
        super("variable '" + name + "' can't fill its placeholder: " + reason, null);
        this.name = name;
        this.index = index;
    }

    /** The variable's name. */
    public String name() {
        return name;
    }

    /** The index of the invalid message, from 0; empty if the value is not a list. */
    public OptionalInt index() {
        return index < 0 ? OptionalInt.empty() : OptionalInt.of(index);
    }
}
