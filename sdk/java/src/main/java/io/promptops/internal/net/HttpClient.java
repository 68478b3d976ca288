package io.promptops.internal.net;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/** Sends GET requests with the bearer token over reused connections; safe between threads. */
public final class HttpClient {
    // More connections are open only while more threads fetch at once.
    private static final int MOST_IDLE = 4;
    // Servers close idle connections after 5 seconds, and some intermediaries drop them silently.
    private static final long LONGEST_IDLE = TimeUnit.SECONDS.toNanos(4);

    private final Connector connector;
    private final Requests requests;
    private final long longestIdle;
    private final Deque<Idle> idle = new ArrayDeque<>();

    public HttpClient(Connector connector, Requests requests) {
        this(connector, requests, LONGEST_IDLE);
    }

    HttpClient(Connector connector, Requests requests, long longestIdle) {
        this.connector = connector;
        this.requests = requests;
        this.longestIdle = longestIdle;
    }

    private record Idle(Stream stream, long since) {}

    /** Returns the response to a GET with at most 16 MiB; see below. */
    public Response get(String path, String etag, long deadline) throws IOException {
        return get(path, etag, deadline, ResponseReader.LARGEST_BODY);
    }

    /**
     * Returns the response to a GET, with any status.
     *
     * @param path begins with a slash, and is encoded already
     * @param etag null, or an ETag that allows a 304 without a body
     * @param deadline of System.nanoTime, for the whole request
     * @param largest of its body, in bytes
     */
    public Response get(String path, String etag, long deadline, int largest) throws IOException {
        String head = requests.get(
                connector.reader(),
                path,
                "Accept: application/json\r\n" + (etag == null ? "" : "If-None-Match: " + etag + "\r\n"));
        Stream idleStream = takeIdle();
        if (idleStream != null) {
            try {
                return exchange(idleStream, head, deadline, largest);
            } catch (SocketTimeoutException timeout) {
                throw timeout;
            } catch (EOFException | SocketException closedMeanwhile) {
                // A GET may be sent twice, so it is repeated on a new connection.
                if (connector.isClosed()) {
                    throw closedMeanwhile;
                }
            }
        }
        return exchange(connector.open(deadline), head, deadline, largest);
    }

    private Response exchange(Stream stream, String head, long deadline, int largest) throws IOException {
        boolean reusable = false;
        try {
            stream.setDeadline(deadline);
            stream.writeHead(head);
            ResponseReader reader = new ResponseReader(stream, largest);
            Response response = reader.read();
            reusable = reader.isReusable();
            if (connector.reader() != null) {
                connector.reader().check(response);
            }
            return response;
        } finally {
            putBack(stream, reusable);
        }
    }

    private synchronized Stream takeIdle() {
        Idle last;
        while ((last = idle.pollLast()) != null) {
            // Extra bytes would be mistaken for the next response.
            if (System.nanoTime() - last.since < longestIdle && !last.stream.hasUnread()) {
                return last.stream;
            }
            last.stream.close();
        }
        return null;
    }

    private void putBack(Stream stream, boolean reusable) {
        Stream surplus = stream;
        synchronized (this) {
            if (reusable && !connector.isClosed()) {
                idle.addLast(new Idle(stream, System.nanoTime()));
                surplus = idle.size() > MOST_IDLE ? idle.pollFirst().stream : null;
            }
        }
        if (surplus != null) {
            surplus.close();
        }
    }
}
