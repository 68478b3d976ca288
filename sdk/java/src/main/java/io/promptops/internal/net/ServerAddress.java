package io.promptops.internal.net;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the server is.
 *
 * @param url as it was given, without slashes at its end
 * @param path what stands before the paths of PromptOps, mostly nothing
 */
public record ServerAddress(String url, boolean secure, String host, int port, String path) {
    // Not what URI takes for a host: names in container networks have underscores.
    private static final Pattern AUTHORITY =
            Pattern.compile("(?:\\[(?<bracketed>[0-9a-zA-Z:.%]+)]|(?<name>[0-9a-zA-Z._~-]+))(?::(?<port>[0-9]{0,5}))?");
    private static final int LARGEST_PORT = 65535;

    /**
     * Takes http(s)://host[:port][/path].
     *
     * @throws IllegalArgumentException for anything else
     */
    public static ServerAddress parse(String url) {
        URI uri;
        try {
            uri = new URI(url);
        } catch (URISyntaxException bad) {
            throw bad(url);
        }
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        boolean secure = scheme.equals("https");
        boolean plain = uri.getRawQuery() == null && uri.getRawFragment() == null;
        Matcher authority = AUTHORITY.matcher(uri.getRawAuthority() == null ? "" : uri.getRawAuthority());
        if (!(secure || scheme.equals("http")) || !plain || !authority.matches()) {
            throw bad(url);
        }
        int port = port(authority.group("port"), secure);
        if (port > LARGEST_PORT) {
            throw bad(url);
        }
        String host = authority.group("name") == null ? authority.group("bracketed") : authority.group("name");
        return new ServerAddress(withoutSlashes(url), secure, host, port, withoutSlashes(uri.getRawPath()));
    }

    /** host:port as the header Host wants it, IPv6 in brackets. */
    String hostHeader() {
        return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
    }

    private static int port(String given, boolean secure) {
        int port = given == null || given.isEmpty() ? 0 : Integer.parseInt(given);
        return port > 0 ? port : secure ? 443 : 80;
    }

    private static String withoutSlashes(String text) {
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '/') {
            end--;
        }
        return text.substring(0, end);
    }

    private static IllegalArgumentException bad(String url) {
        // Messages end in logs: user info and query may hold a password or token.
        String masked = url.replaceFirst("(?s)[?#].*", "?...").replaceFirst("(?s)//.*@", "//...@");
        return new IllegalArgumentException(
                "the server's address must look like http://host:8080, not '" + masked + "'");
    }
}
