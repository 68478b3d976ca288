package io.promptops;

/** Where a prompt comes from. */
public enum Source {
    /** The cached copy of the client. */
    MEMORY,
    /** The server, in a request of this call or of a concurrent one. */
    SERVER,
    /** The last known good copy in the cache folder. */
    DISK,
    /** The bundle file. */
    BUNDLE,
    /** The default of the call. */
    DEFAULT
}
