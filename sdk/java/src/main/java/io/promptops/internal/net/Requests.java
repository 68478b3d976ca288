package io.promptops.internal.net;

/** Writes the heads of requests, with what all have in common. */
public record Requests(ServerAddress address, String token, String userAgent) {
    /**
     * The head of a GET.
     *
     * @param path begins with a slash, and is encoded already
     * @param headers besides, each with its line's end
     */
    String get(String path, String headers) {
        return "GET " + address.path() + path + " HTTP/1.1\r\n"
                + "Host: " + address.hostHeader() + "\r\n"
                + "User-Agent: " + userAgent + "\r\n"
                + "Authorization: Bearer " + token + "\r\n"
                + headers
                + "\r\n";
    }
}
