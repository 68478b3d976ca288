package io.promptops;

/** A position in the server's change feed; revisions can be compared only within an epoch. */
record FeedPosition(String epoch, long revision) {
    // The epoch of the client's own count of events from an older server.
    private static final String OWN_EPOCH = "";

    /** The first position of the client's own count. */
    static FeedPosition own() {
        return new FeedPosition(OWN_EPOCH, 1);
    }

    /** Whether it is a position of a server. */
    boolean isOfServer() {
        return !epoch.equals(OWN_EPOCH);
    }

    /** Whether it includes everything up to the other one, which is also true in a different epoch. */
    boolean reaches(FeedPosition other) {
        return !epoch.equals(other.epoch) || revision >= other.revision;
    }

    boolean isBefore(FeedPosition other) {
        return epoch.equals(other.epoch) && revision < other.revision;
    }
}
