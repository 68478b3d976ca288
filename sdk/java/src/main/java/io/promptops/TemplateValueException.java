package io.promptops;

import io.promptops.internal.json.UnprintableValueException;

/** A variable's value can't be inserted into a text because it has no JSON form. */
public final class TemplateValueException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    private final String name;

    TemplateValueException(String name, UnprintableValueException cause) {
        super("variable '" + name + "' can't be rendered: " + cause.getMessage()
                + "; pass text, a number, true or false, or lists and maps of them", cause);
        this.name = name;
    }

    /** The variable's name. */
    public String name() {
        return name;
    }
}
