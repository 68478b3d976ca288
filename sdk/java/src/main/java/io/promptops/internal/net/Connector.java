package io.promptops.internal.net;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.security.NoSuchAlgorithmException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/**
 * Opens connections to one server, and knows all that are open, so that closing it interrupts
 * whoever waits in one. Safe between threads.
 *
 * <p>Sockets of its own, because java.net.http leaves a thread and idle connections behind until
 * they are collected (up to Java 20), and its time-outs don't cover the body of an answer.
 */
public final class Connector {
    private static final long LEAST_SHARE = TimeUnit.MILLISECONDS.toNanos(250);

    private final ServerAddress address;
    private final SSLContext tls;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /** Without a TLS context an https server is checked against the system's trusted certificates. */
    public Connector(ServerAddress address, SSLContext tls) {
        this.address = address;
        this.tls = tls;
    }

    public ServerAddress address() {
        return address;
    }

    public boolean isClosed() {
        return closed;
    }

    /** Cuts all connections; every use of them fails from now on. Again is allowed. */
    public void close() {
        closed = true;
        open.forEach(this::release);
    }

    /** How many connections are open. */
    public int openConnections() {
        return open.size();
    }

    /**
     * A connection to the first of the host's addresses that answers, encrypted for https.
     *
     * @param deadline of System.nanoTime; looking up the host's name can't be interrupted by it
     */
    Stream open(long deadline) throws IOException {
        IOException failure = new IOException("the host has no address");
        InetAddress[] targets = InetAddress.getAllByName(address.host());
        for (int tried = 0; tried < targets.length; tried++) {
            long now = System.nanoTime();
            try {
                Stream stream = connect(targets[tried], now + share(deadline - now, targets.length - tried));
                stream.setDeadline(deadline);
                return stream;
            } catch (IOException error) {
                failure = error;
            }
        }
        throw failure;
    }

    /** How much of the time that is left the next of so many addresses gets: one that is dead must not take it all. */
    static long share(long left, int addresses) {
        return Math.min(left, Math.max(left / addresses, LEAST_SHARE));
    }

    void release(Socket raw) {
        open.remove(raw);
        closeQuietly(raw);
    }

    private Stream connect(InetAddress target, long deadline) throws IOException {
        DeadlineSocket raw = new DeadlineSocket();
        boolean isConnected = false;
        try {
            open.add(raw);
            if (closed) {
                throw new SocketException("closed");
            }
            raw.connect(new InetSocketAddress(target, address.port()), DeadlineSocket.millisecondsTo(deadline));
            raw.setTcpNoDelay(true);
            raw.setDeadline(deadline);
            Stream stream = new Stream(this, raw, address.secure() ? encrypt(raw) : raw);
            isConnected = true;
            return stream;
        } finally {
            // Also for what TLS may throw besides.
            if (!isConnected) {
                release(raw);
            }
        }
    }

    private Socket encrypt(Socket raw) throws IOException {
        SSLSocket encrypted =
                (SSLSocket) context().getSocketFactory().createSocket(raw, address.host(), address.port(), true);
        SSLParameters parameters = encrypted.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        encrypted.setSSLParameters(parameters);
        encrypted.startHandshake();
        return encrypted;
    }

    private SSLContext context() throws IOException {
        try {
            return tls == null ? SSLContext.getDefault() : tls;
        } catch (NoSuchAlgorithmException error) {
            throw new IOException("the system's trusted certificates can't be used", error);
        }
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException error) {
            // Nothing more can be done to free it.
            return;
        }
    }
}
