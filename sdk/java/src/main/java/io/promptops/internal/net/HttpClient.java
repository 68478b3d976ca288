package io.promptops.internal.net;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/** Sends GET requests with the bearer token, over connections that are kept; safe between threads. */
public final class HttpClient {
    // More than these are open only while more threads fetch at once.
    private static final int MOST_IDLE = 4;
    // Servers close after 5 seconds, and what stands between forgets some without a word.
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

    /** The answer to a GET, whatever its status, as below; it has at most 16 MiB. */
    public Response get(String path, String etag, long deadline) throws IOException {
        return get(path, etag, deadline, ResponseReader.LARGEST_BODY);
    }

    /**
     * The answer to a GET, whatever its status.
     *
     * @param path begins with a slash, and is encoded already
     * @param etag null, or what may be answered with a 304 without body
     * @param deadline of System.nanoTime, for the whole of it
     * @param largest in bytes, of its body
     */
    public Response get(String path, String etag, long deadline, int largest) throws IOException {
        String head = requests.get(
                path, "Accept: application/json\r\n" + (etag == null ? "" : "If-None-Match: " + etag + "\r\n"));
        Stream kept = takeIdle();
        if (kept != null) {
            try {
                return exchange(kept, head, deadline, largest);
            } catch (SocketTimeoutException timeout) {
                throw timeout;
            } catch (EOFException | SocketException closedMeanwhile) {
                // A GET may be sent twice: again, on a new connection.
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
            return response;
        } finally {
            putBack(stream, reusable);
        }
    }

    private synchronized Stream takeIdle() {
        Idle last;
        while ((last = idle.pollLast()) != null) {
            // Bytes that nobody asked for would be taken for the next answer.
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
