package io.promptops.internal.net;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * One connection to the server, read by one thread at a time. Every read ends at the deadline (of
 * System.nanoTime) with a SocketTimeoutException.
 */
final class Stream extends InputStream implements Closeable {
    private final Connector connector;
    private final DeadlineSocket raw;
    private final InputStream in;
    private final OutputStream out;
    private final byte[] buffer = new byte[8192];
    private int at;
    private int end;

    /** Closes the raw socket, because closing TLS would wait for a running write. */
    Stream(Connector connector, DeadlineSocket raw, Socket socket) throws IOException {
        this.connector = connector;
        this.raw = raw;
        this.in = socket.getInputStream();
        this.out = socket.getOutputStream();
    }

    void setDeadline(long deadline) {
        raw.setDeadline(deadline);
    }

    /** Whether there is unread data, or the connection has ended. */
    boolean hasUnread() {
        try {
            return at < end || raw.getInputStream().available() > 0;
        } catch (IOException closed) {
            return true;
        }
    }

    @Override
    public int read() throws IOException {
        return fill() ? buffer[at++] & 0xFF : -1;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (!fill()) {
            return -1;
        }
        int count = Math.min(length, end - at);
        System.arraycopy(buffer, at, into, offset, count);
        at += count;
        return count;
    }

    void write(byte[] data) throws IOException {
        out.write(data);
        out.flush();
    }

    /** Returns a line of Latin-1 without its end, at most so many bytes long. */
    String readLine(int limit) throws IOException {
        StringBuilder line = new StringBuilder();
        int next;
        while ((next = read()) != '\n') {
            if (next < 0) {
                throw new EOFException("the connection broke during a response");
            }
            line.append((char) next);
            if (line.length() > limit) {
                throw new BadResponseException("a line of the response's head is too long");
            }
        }
        int length = line.length();
        return length > 0 && line.charAt(length - 1) == '\r' ? line.substring(0, length - 1) : line.toString();
    }

    void writeHead(String head) throws IOException {
        write(head.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    public void close() {
        connector.release(raw);
    }

    private boolean fill() throws IOException {
        if (at == end) {
            end = Math.max(in.read(buffer), 0);
            at = 0;
        }
        return at < end;
    }
}
