package io.promptops.internal.net;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.security.NoSuchAlgorithmException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/**
 * Opens connections to one server, and tracks all open ones, so that closing it interrupts waiting threads.
 * Safe between threads.
 *
 * <p>It does not use java.net.http, which leaves a thread and idle connections until they are collected (up
 * to Java 20), and whose time-outs do not cover the body of a response.
 */
public final class Connector {
    private static final long LEAST_SHARE = TimeUnit.MILLISECONDS.toNanos(250);

    private final ServerAddress address;
    private final SSLContext tls;
    private final HttpProxy proxy;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /**
     * Without a TLS context, an https server needs a certificate that the system trusts; without a proxy,
     * connections are direct.
     */
    public Connector(ServerAddress address, SSLContext tls, HttpProxy proxy) {
        this.address = address;
        this.tls = tls;
        this.proxy = proxy;
    }

    public ServerAddress address() {
        return address;
    }

    /** The route to the server, for messages. */
    public String route() {
        return address.url() + (proxy == null ? "" : " through the proxy " + proxy);
    }

    /** The proxy that reads the requests on an opened connection; null if the server reads them. */
    HttpProxy reader() {
        return address.secure() ? null : proxy;
    }

    public boolean isClosed() {
        return closed;
    }

    /** Cuts all connections; every use of them fails from now on. Can be called again. */
    public void close() {
        closed = true;
        open.forEach(this::release);
    }

    /** The number of open connections. */
    public int openConnections() {
        return open.size();
    }

    /**
     * Opens a connection for requests to the first of the host's addresses that accepts it, encrypted for
     * https. It leads to the forwarding proxy if there is one.
     *
     * @param deadline of System.nanoTime; it can't interrupt the look-up of the host name
     */
    Stream open(long deadline) throws IOException {
        return open(deadline, address.secure());
    }

    /** Opens a connection that no proxy may read, for a WebSocket. */
    Stream openTunnel(long deadline) throws IOException {
        return open(deadline, true);
    }

    private Stream open(long deadline, boolean hasTunnel) throws IOException {
        IOException failure = new IOException("the host has no address");
        InetAddress[] targets = addresses();
        for (int tried = 0; tried < targets.length; tried++) {
            long now = System.nanoTime();
            try {
                Stream stream =
                        connect(targets[tried], now + share(deadline - now, targets.length - tried), hasTunnel);
                stream.setDeadline(deadline);
                return stream;
            } catch (IOException error) {
                failure = error;
            }
        }
        throw failure;
    }

    private InetAddress[] addresses() throws IOException {
        if (proxy == null) {
            return InetAddress.getAllByName(address.host());
        }
        try {
            return InetAddress.getAllByName(proxy.host());
        } catch (UnknownHostException error) {
            throw proxy.unreachable(error);
        }
    }

    /** The share of the remaining time for the next address: a dead one must not take it all. */
    static long share(long left, int addresses) {
        return Math.min(left, Math.max(left / addresses, LEAST_SHARE));
    }

    void release(Socket raw) {
        open.remove(raw);
        closeQuietly(raw);
    }

    private Stream connect(InetAddress target, long deadline, boolean hasTunnel) throws IOException {
        DeadlineSocket raw = new DeadlineSocket();
        boolean isConnected = false;
        try {
            open.add(raw);
            if (closed) {
                throw new SocketException("closed");
            }
            connect(raw, target, deadline);
            raw.setTcpNoDelay(true);
            raw.setDeadline(deadline);
            Stream stream = new Stream(this, raw, raw);
            if (proxy != null && hasTunnel) {
                proxy.openTunnel(stream, address.hostHeader());
            }
            stream = address.secure() ? new Stream(this, raw, encrypt(raw)) : stream;
            isConnected = true;
            return stream;
        } finally {
            // Also for other exceptions of TLS.
            if (!isConnected) {
                release(raw);
            }
        }
    }

    private void connect(Socket raw, InetAddress target, long deadline) throws IOException {
        int port = proxy == null ? address.port() : proxy.port();
        try {
            raw.connect(new InetSocketAddress(target, port), DeadlineSocket.millisecondsTo(deadline));
        } catch (IOException error) {
            throw proxy == null ? error : proxy.unreachable(error);
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
