package io.promptops.internal.net;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;

/**
 * The server's address.
 *
 * @param url the address without trailing slashes
 * @param path a prefix of PromptOps' paths, usually empty
 */
public record ServerAddress(String url, boolean secure, String host, int port, String path) {
    /**
     * Parses http(s)://host[:port][/path].
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
        String text = uri.getRawAuthority() == null ? "" : uri.getRawAuthority();
        Authority authority = Authority.parse(text, secure ? 443 : 80);
        if (!(secure || scheme.equals("http")) || !plain || authority == null) {
            throw bad(url);
        }
        String path = withoutSlashes(uri.getRawPath());
        return new ServerAddress(withoutSlashes(url), secure, authority.host(), authority.port(), path);
    }

    /** host:port for the header Host, IPv6 in brackets. */
    String hostHeader() {
        return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
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
                "the server's address must look like http://host:8080, not '" + MaskedUrl.of(url) + "'");
    }
}
