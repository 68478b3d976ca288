package io.promptops.internal.net;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A host, IPv6 without its brackets, and a port. */
record Authority(String host, int port) {
    // java.net.URI rejects some of these hosts: names in container networks have underscores.
    private static final Pattern PATTERN =
            Pattern.compile("(?:\\[(?<bracketed>[0-9a-zA-Z:.%]+)]|(?<name>[0-9a-zA-Z._~-]+))(?::(?<port>[0-9]{0,5}))?");
    private static final int LARGEST_PORT = 65535;

    /** Parses an authority; null if it is invalid. Without a port, or with 0, it has the default. */
    static Authority parse(String text, int defaultPort) {
        Matcher authority = PATTERN.matcher(text);
        if (!authority.matches()) {
            return null;
        }
        String digits = authority.group("port");
        int port = digits == null || digits.isEmpty() ? 0 : Integer.parseInt(digits);
        if (port > LARGEST_PORT) {
            return null;
        }
        String name = authority.group("name");
        return new Authority(name == null ? authority.group("bracketed") : name, port > 0 ? port : defaultPort);
    }
}
