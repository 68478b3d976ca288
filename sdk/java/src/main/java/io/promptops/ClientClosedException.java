package io.promptops;

/** The client was closed. */
public final class ClientClosedException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    ClientClosedException() {
        super("the PromptOps client is closed; make a new one", null);
    }
}
