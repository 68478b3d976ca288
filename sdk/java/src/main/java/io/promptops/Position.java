package io.promptops;

/** A place in the server's feed of changes; revisions compare within an epoch only. */
record Position(String epoch, long revision) {
    // No server's: there the client itself counts what a server of before has told.
    private static final String OWN_EPOCH = "";

    /** From where on the client counts by itself. */
    static Position own() {
        return new Position(OWN_EPOCH, 1);
    }

    /** Whether a server knows it. */
    boolean isOfServer() {
        return !epoch.equals(OWN_EPOCH);
    }

    /** Whether everything up to the other one is in this one; so it is where another epoch began. */
    boolean reaches(Position other) {
        return !epoch.equals(other.epoch) || revision >= other.revision;
    }

    boolean isBefore(Position other) {
        return epoch.equals(other.epoch) && revision < other.revision;
    }
}
