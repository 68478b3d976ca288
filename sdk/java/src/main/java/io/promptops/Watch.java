package io.promptops;

import io.promptops.internal.net.ClosedByServerException;
import io.promptops.internal.net.Connector;
import io.promptops.internal.net.RefusedException;
import io.promptops.internal.net.Requests;
import io.promptops.internal.net.WebSocket;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Receives the server's events in a separate thread, and reconnects as often as necessary. */
final class Watch {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");
    private static final int TOKEN_ENDED = 4401;
    private static final int UNAUTHORIZED = 401;
    private static final int FORBIDDEN = 403;
    private static final double SILENT_HEARTBEATS = 2.5;
    // Older servers send no hello, and a ping every 4 seconds.
    private static final long HELLO_TIMEOUT = TimeUnit.SECONDS.toNanos(1);
    private static final long SILENCE_OF_OLD_SERVER = TimeUnit.SECONDS.toNanos(15);
    private static final long GOODBYE = TimeUnit.MILLISECONDS.toNanos(300);

    private final Connector connector;
    private final Threads threads;
    private final Closing closing;
    private final SyncState syncState;
    private final Listeners listeners;
    private final String path;
    private final Requests requests;
    private final long timeout;
    private final Backoff reconnectBackoff = Backoff.reconnecting();
    private final Backoff refusedBackoff = Backoff.refused();
    private final CountDownLatch firstAttempt = new CountDownLatch(1);
    private volatile WebSocket socket;
    private boolean isFailing;

    /** `path` is the path of the events with the beginning of its query. */
    Watch(
            Connector connector,
            Requests requests,
            Threads threads,
            Closing closing,
            SyncState syncState,
            Listeners listeners,
            String path,
            long timeout) {
        this.connector = connector;
        this.requests = requests;
        this.threads = threads;
        this.closing = closing;
        this.syncState = syncState;
        this.listeners = listeners;
        this.path = path;
        this.timeout = timeout;
    }

    void start() {
        syncState.startWatching();
        threads.watching().run(this::run);
    }

    /** Waits until the first connection succeeded or failed. */
    void awaitFirstAttempt() {
        try {
            if (!firstAttempt.await(timeout, TimeUnit.NANOSECONDS)) {
                LOGGER.log(System.Logger.Level.DEBUG, "no connection within the time-out");
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Closes the connection, unless that would take long, and releases the threads that wait for it. */
    void leave() {
        firstAttempt.countDown();
        WebSocket open = socket;
        if (open != null) {
            sayGoodbye(open);
        }
    }

    private static void sayGoodbye(WebSocket open) {
        try {
            open.sendClose(WebSocket.NORMAL, GOODBYE);
        } catch (IOException error) {
            LOGGER.log(System.Logger.Level.DEBUG, "closed without a close frame, or with one sent before", error);
        }
    }

    private Runnable setAlarm(long nanoseconds, Runnable ring) {
        Future<?> set = threads.timing().runAfter(nanoseconds, ring);
        return () -> set.cancel(false);
    }

    private void run() {
        while (!closing.isClosed()) {
            long pause;
            try {
                runConnection();
                return;
            } catch (IOException error) {
                pause = afterFailure(error);
            } catch (RuntimeException | Error error) {
                LOGGER.log(System.Logger.Level.ERROR, "hot reload failed, reconnecting", error);
                pause = reconnectBackoff.next();
            } finally {
                firstAttempt.countDown();
            }
            closing.pause(pause);
        }
    }

    /** Runs one connection to its end. */
    private void runConnection() throws IOException {
        FeedPosition resumePosition = syncState.resumePosition();
        String query = resumePosition == null
                ? "&since=0"
                : "&since=" + resumePosition.revision() + "&epoch=" + FetchPolicy.urlEncoded(resumePosition.epoch());
        WebSocket connection = WebSocket.open(connector, requests, path + query, timeout, this::setAlarm);
        try {
            socket = connection;
            listen(connection);
        } finally {
            if (closing.isClosed()) {
                // The closing thread may not have sent the close frame yet.
                sayGoodbye(connection);
            }
            // First, so that a hanging report does not delay what follows.
            connection.close();
            socket = null;
            syncState.disconnected();
        }
    }

    private void listen(WebSocket connection) throws IOException {
        long until = System.nanoTime() + Math.min(HELLO_TIMEOUT, timeout);
        Event first = connection.awaitMessage(until, timeout) ? Event.readWithoutHello(connection.receive(timeout)) : null;
        if (first instanceof Event.Hello hello) {
            syncState.connected(hello, connection);
            markConnected();
            listenAfterHello(connection, hello);
            return;
        }
        syncState.connectedWithoutHello();
        markConnected();
        if (first != null) {
            syncState.handleEvent(first);
        }
        listenWithoutHello(connection);
    }

    private void markConnected() {
        LOGGER.log(isFailing ? System.Logger.Level.WARNING : System.Logger.Level.DEBUG, "hot reload works");
        isFailing = false;
        firstAttempt.countDown();
    }

    private void listenAfterHello(WebSocket connection, Event.Hello hello) throws IOException {
        long silence = (long) (hello.heartbeatSeconds() * SILENT_HEARTBEATS * TimeUnit.SECONDS.toNanos(1));
        while (!closing.isClosed()) {
            handleEvent(Event.read(connection.receive(silence)));
        }
    }

    private void listenWithoutHello(WebSocket connection) throws IOException {
        while (!closing.isClosed()) {
            Event event = Event.readWithoutHello(connection.receive(SILENCE_OF_OLD_SERVER));
            if (event instanceof Event.Hello lateHello) {
                syncState.connected(lateHello, connection);
                listenAfterHello(connection, lateHello);
                return;
            }
            handleEvent(event);
        }
    }

    private void handleEvent(Event event) {
        // Not after a hello or an unknown message, to keep the pauses for a server that drops every
        // connection.
        if (!(event instanceof Event.Unknown)) {
            reconnectBackoff.reset();
            refusedBackoff.reset();
        }
        syncState.handleEvent(event);
    }

    /** Returns the nanoseconds to wait before the next connection. */
    private long afterFailure(IOException error) {
        if (closing.isClosed()) {
            return 0;
        }
        ResponseException refusal = refusal(error);
        if (refusal != null) {
            LOGGER.log(System.Logger.Level.WARNING, "hot reload is refused, it is tried again: " + refusal.getMessage());
            listeners.notifyError(refusal);
            return refusedBackoff.next();
        }
        System.Logger.Level level = isFailing ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING;
        LOGGER.log(level, "hot reload stopped, reconnecting until it works: " + reason(error));
        isFailing = true;
        return reconnectBackoff.next();
    }

    private static String reason(IOException error) {
        return error instanceof RefusedException refusedBackoff
                ? ResponseException.of(refusedBackoff.response()).getMessage()
                : error.getMessage();
    }

    private static ResponseException refusal(IOException error) {
        if (error instanceof ClosedByServerException closed && closed.code() == TOKEN_ENDED) {
            return new UnauthorizedException(UNAUTHORIZED, closed.getMessage());
        }
        if (error instanceof RefusedException refusedBackoff) {
            int status = refusedBackoff.response().status();
            return status == UNAUTHORIZED || status == FORBIDDEN ? ResponseException.of(refusedBackoff.response()) : null;
        }
        return null;
    }
}
