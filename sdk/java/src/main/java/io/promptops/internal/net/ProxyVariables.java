package io.promptops.internal.net;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/** The environment variables for HTTP proxies, read as curl reads them. */
public record ProxyVariables(Map<String, String> environment) {
    /**
     * Returns the proxy for the server: HTTPS_PROXY or HTTP_PROXY, by its scheme; lower-case names win. Null
     * if there is none, or if NO_PROXY excludes the server.
     *
     * @throws IllegalArgumentException for an unusable proxy
     */
    public HttpProxy proxyFor(ServerAddress server) {
        String name = server.secure() ? "https_proxy" : "http_proxy";
        String url = value(name);
        boolean isDirect = url.isEmpty()
                || Arrays.stream(value("no_proxy").split("[\\s,]+"))
                        .anyMatch(entry -> new NoProxyEntry(entry).covers(server.host(), server.port()));
        return isDirect ? null : HttpProxy.parse(name.toUpperCase(Locale.ROOT), url);
    }

    private String value(String name) {
        String value = environment.getOrDefault(name, "");
        // In a CGI program a request's header Proxy sets this variable.
        boolean isForged = name.equals("http_proxy") && environment.containsKey("REQUEST_METHOD");
        if (value.isEmpty() && !isForged) {
            value = environment.getOrDefault(name.toUpperCase(Locale.ROOT), "");
        }
        return value.strip();
    }
}
