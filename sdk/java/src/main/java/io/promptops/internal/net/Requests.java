package io.promptops.internal.net;

/** Writes the heads of requests, with their common headers. */
public record Requests(ServerAddress address, String token, String userAgent) {
    /**
     * The head of a GET.
     *
     * @param path begins with a slash, and is encoded already
     * @param headers extra headers, each with its line end
     */
    String get(String path, String headers) {
        return get("", path, headers);
    }

    /** The head of a GET for a proxy that forwards the request, or for the server if it is null. */
    String get(HttpProxy reader, String path, String headers) {
        return reader == null
                ? get("", path, headers)
                : get("http://" + address.hostHeader(), path, reader.headers() + headers);
    }

    private String get(String origin, String path, String headers) {
        return "GET " + origin + address.path() + path + " HTTP/1.1\r\n"
                + "Host: " + address.hostHeader() + "\r\n"
                + "User-Agent: " + userAgent + "\r\n"
                + "Authorization: Bearer " + token + "\r\n"
                + headers
                + "\r\n";
    }
}
