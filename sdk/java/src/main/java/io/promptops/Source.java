package io.promptops;

/** Where an answer came from. */
public enum Source {
    /** The copy that the client holds. */
    MEMORY,
    /** The server, asked by this call or by one that it shared. */
    SERVER,
    /** The last known good copy in the cache folder. */
    DISK,
    /** The bundle file. */
    BUNDLE,
    /** The default that was given with the call. */
    DEFAULT
}
