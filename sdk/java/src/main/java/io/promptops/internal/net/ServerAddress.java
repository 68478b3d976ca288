package io.promptops.internal.net;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;

/**
 * Where the server is.
 *
 * @param url as it was given, without slashes at its end
 * @param path what stands before the paths of PromptOps, mostly nothing
 */
public record ServerAddress(String url, boolean secure, String host, int port, String path) {
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
        boolean plain = uri.getRawQuery() == null && uri.getRawFragment() == null && uri.getRawUserInfo() == null;
        if (!(secure || scheme.equals("http")) || uri.getHost() == null || !plain || uri.getPort() > 65535) {
            throw bad(url);
        }
        int port = uri.getPort() > 0 ? uri.getPort() : secure ? 443 : 80;
        String host = uri.getHost().startsWith("[") ? bare(uri.getHost()) : uri.getHost();
        return new ServerAddress(withoutSlashes(url), secure, host, port, withoutSlashes(uri.getRawPath()));
    }

    /** host:port as the header Host wants it, IPv6 in brackets. */
    String hostHeader() {
        return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
    }

    private static String bare(String bracketed) {
        return bracketed.substring(1, bracketed.length() - 1);
    }

    private static String withoutSlashes(String text) {
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '/') {
            end--;
        }
        return text.substring(0, end);
    }

    private static IllegalArgumentException bad(String url) {
        return new IllegalArgumentException(
                "the server's address must look like http://host:8080, not '" + url + "'");
    }
}
