package io.promptops;

/** The reason for a fetch. */
enum FetchReason {
    /** A call for a prompt that is not cached. */
    CALLER(2),
    /** A call with the option refresh. */
    REFRESHING_CALLER(2),
    /** A refresh of an old copy in the background. */
    AGE(1),
    /** A refetch of the watch, which has its own pauses and errors. */
    WATCH(1);

    private final int maxAttempts;

    FetchReason(int maxAttempts) {
        this.maxAttempts = maxAttempts;
    }

    /** The maximum number of attempts. */
    int maxAttempts() {
        return maxAttempts;
    }
}
