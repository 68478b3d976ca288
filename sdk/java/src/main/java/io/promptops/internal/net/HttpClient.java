package io.promptops.internal.net;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.ArrayDeque;
import java.util.Deque;

/** Sends GET requests with the bearer token, over connections that are kept; safe between threads. */
public final class HttpClient {
    // More than these are open only while more threads fetch at once.
    private static final int MOST_IDLE = 4;

    private final Connector connector;
    private final String token;
    private final Deque<Stream> idle = new ArrayDeque<>();

    public HttpClient(Connector connector, String token) {
        this.connector = connector;
        this.token = token;
    }

    /**
     * The answer to a GET, whatever its status.
     *
     * @param path begins with a slash, and is encoded already
     * @param etag null, or what may be answered with a 304 without body
     * @param deadline of System.nanoTime, for the whole of it
     */
    public Response get(String path, String etag, long deadline) throws IOException {
        String head = "GET " + connector.address().path() + path + " HTTP/1.1\r\n"
                + "Host: " + connector.address().hostHeader() + "\r\n"
                + "Authorization: Bearer " + token + "\r\n"
                + "Accept: application/json\r\n"
                + (etag == null ? "" : "If-None-Match: " + etag + "\r\n")
                + "\r\n";
        Stream kept = takeIdle();
        if (kept != null) {
            try {
                return exchange(kept, head, deadline);
            } catch (SocketTimeoutException timeout) {
                throw timeout;
            } catch (EOFException | SocketException closedMeanwhile) {
                // A GET may be sent twice: again, on a new connection.
                if (connector.isClosed()) {
                    throw closedMeanwhile;
                }
            }
        }
        return exchange(connector.open(deadline), head, deadline);
    }

    private Response exchange(Stream stream, String head, long deadline) throws IOException {
        boolean reusable = false;
        try {
            stream.setDeadline(deadline);
            stream.writeHead(head);
            ResponseReader reader = new ResponseReader(stream);
            Response response = reader.read();
            reusable = reader.isReusable();
            return response;
        } finally {
            putBack(stream, reusable);
        }
    }

    private synchronized Stream takeIdle() {
        return idle.pollLast();
    }

    private void putBack(Stream stream, boolean reusable) {
        synchronized (this) {
            if (reusable && !connector.isClosed() && idle.size() < MOST_IDLE) {
                idle.addLast(stream);
                return;
            }
        }
        stream.close();
    }
}
