package io.promptops.internal.net;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An HTTP proxy that accepts plain HTTP.
 *
 * <p>Sources: RFC 9110, section 9.3.6 (CONNECT); RFC 9112, section 3.2.2 (absolute form); RFC 6455, section
 * 4.1 (a WebSocket uses a tunnel).
 */
public final class HttpProxy {
    private static final int DEFAULT_PORT = 80;
    private static final int UNAUTHORIZED = 407;
    private static final Pattern URL = Pattern.compile(
            "(?:(?<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://)?+(?:(?<login>[^/?#]*)@)?(?<authority>[^/?#@]+)(?:[/?#].*)?");

    private final String url;
    private final Authority authority;
    private final String login;

    private HttpProxy(String url, Authority authority, String login) {
        this.url = url;
        this.authority = authority;
        this.login = login;
    }

    /**
     * Parses [http://][user:password@]host[:port].
     *
     * @param variable the name of the variable, for the message
     * @throws IllegalArgumentException for anything else
     */
    static HttpProxy parse(String variable, String url) {
        Matcher parts = URL.matcher(url);
        String scheme = parts.matches() ? parts.group("scheme") : "";
        boolean isHttp = scheme == null || scheme.equalsIgnoreCase("http");
        Authority authority = isHttp ? Authority.parse(parts.group("authority"), DEFAULT_PORT) : null;
        String masked = MaskedUrl.of(scheme == null ? "http://" + url : url);
        if (authority == null) {
            throw new IllegalArgumentException(variable + " must look like http://proxy:3128, not '" + masked + "'");
        }
        return new HttpProxy(masked, authority, parts.group("login"));
    }

    String host() {
        return authority.host();
    }

    int port() {
        return authority.port();
    }

    /** The extra headers of requests that the proxy reads, each with its line end. */
    String headers() {
        if (login == null) {
            return "";
        }
        int colon = login.indexOf(':');
        String user = login.substring(0, colon < 0 ? login.length() : colon);
        String password = colon < 0 ? "" : login.substring(colon + 1);
        byte[] credentials = (decoded(user) + ":" + decoded(password)).getBytes(StandardCharsets.UTF_8);
        return "Proxy-Authorization: Basic " + Base64.getEncoder().encodeToString(credentials) + "\r\n";
    }

    /** Asks the connected proxy for a tunnel to host:port. */
    void openTunnel(Stream stream, String target) throws IOException {
        stream.writeHead("CONNECT " + target + " HTTP/1.1\r\n"
                + "Host: " + target + "\r\n"
                + headers()
                + "\r\n");
        int status = tunnelStatus(stream);
        if (status < 200 || status >= 300) {
            throw refused(status);
        }
        // The server sends nothing before a request.
        if (stream.hasUnread()) {
            throw noAnswer();
        }
    }

    private int tunnelStatus(Stream stream) throws IOException {
        try {
            return new ResponseReader(stream).readHead().status();
        } catch (BadResponseException bad) {
            throw noAnswer();
        } catch (EOFException ended) {
            throw new IOException("the proxy " + url + " ended the connection", ended);
        }
    }

    private BadResponseException noAnswer() {
        return new BadResponseException("the proxy " + url + " sent an invalid response to CONNECT");
    }

    /** Throws if the response to a forwarded request is the proxy's refusal. */
    void check(Response response) throws IOException {
        if (response.status() == UNAUTHORIZED) {
            throw refused(UNAUTHORIZED);
        }
    }

    private IOException refused(int status) {
        String hint = status == UNAUTHORIZED ? "; check its user and password" : "";
        return new IOException("the proxy " + url + " refused: " + status + hint);
    }

    /** The error for a failure to connect to the proxy; a time-out stays a time-out. */
    IOException unreachable(IOException error) {
        if (error instanceof SocketTimeoutException) {
            return error;
        }
        return new IOException("the proxy " + url + " can't be reached: " + error.getMessage(), error);
    }

    /** Its address for logs. */
    @Override
    public String toString() {
        return url;
    }

    /** Decodes bytes such as %41; any other percent sign stays. */
    private static String decoded(String text) {
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream decoded = new ByteArrayOutputStream();
        for (int at = 0; at < encoded.length; at++) {
            int octet = encoded[at] == '%' && at + 2 < encoded.length ? octet(encoded[at + 1], encoded[at + 2]) : -1;
            decoded.write(octet < 0 ? encoded[at] : octet);
            at += octet < 0 ? 0 : 2;
        }
        return decoded.toString(StandardCharsets.UTF_8);
    }

    private static int octet(byte high, byte low) {
        int first = Character.digit(high, 16);
        int second = Character.digit(low, 16);
        return first < 0 || second < 0 ? -1 : first << 4 | second;
    }
}
