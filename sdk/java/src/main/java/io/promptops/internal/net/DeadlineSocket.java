package io.promptops.internal.net;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.concurrent.TimeUnit;

/**
 * Every read ends at the deadline (of System.nanoTime) with a SocketTimeoutException. This also limits TLS on
 * top of it, which reads as often as it needs for one record and restarts its own time-out with each read.
 */
final class DeadlineSocket extends Socket {
    private volatile long deadline;

    static int millisecondsTo(long deadline) throws SocketTimeoutException {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            throw new SocketTimeoutException("timed out");
        }
        return (int) Math.min(TimeUnit.NANOSECONDS.toMillis(left) + 1, Integer.MAX_VALUE);
    }

    void setDeadline(long deadline) {
        this.deadline = deadline;
    }

    @Override
    public InputStream getInputStream() throws IOException {
        return new FilterInputStream(super.getInputStream()) {
            @Override
            public int read() throws IOException {
                setSoTimeout(millisecondsTo(deadline));
                return super.read();
            }

            @Override
            public int read(byte[] into, int offset, int length) throws IOException {
                setSoTimeout(millisecondsTo(deadline));
                return super.read(into, offset, length);
            }
        };
    }
}
