package io.promptops;

/** On whose behalf the server is asked for a prompt. */
enum Asker {
    /** A call for a prompt that is not held. */
    CALLER(2),
    /** A call that wants the server's word. */
    REFRESHING_CALLER(2),
    /** Nobody who waits: what is answered meanwhile is too old. */
    AGE(1),
    /** The watch, which has pauses and errors of its own. */
    WATCH(1);

    private final int tries;

    Asker(int tries) {
        this.tries = tries;
    }

    /** How often it is tried, at most. */
    int tries() {
        return tries;
    }
}
