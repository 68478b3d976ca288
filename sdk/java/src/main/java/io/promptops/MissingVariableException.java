package io.promptops;

import java.util.ArrayList;
import java.util.List;

/** A strict rendering lacks variables. */
public final class MissingVariableException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    private final ArrayList<String> names;

    MissingVariableException(List<String> names) {
        super("missing variables: " + String.join(", ", names), null);
        this.names = new ArrayList<>(names);
    }

    /** The missing variables, in order of first appearance. */
    public List<String> names() {
        return List.copyOf(names);
    }
}
