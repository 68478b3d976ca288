package io.promptops;

/** A place in the server's feed of changes; revisions compare within an epoch only. */
record Position(String epoch, long revision) {
    /** Whether everything up to the other one is in this one; so it is where another epoch began. */
    boolean reaches(Position other) {
        return !epoch.equals(other.epoch) || revision >= other.revision;
    }

    boolean isBefore(Position other) {
        return epoch.equals(other.epoch) && revision < other.revision;
    }
}
