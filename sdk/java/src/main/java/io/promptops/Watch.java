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

/** Listens to the server in a thread of its own, and connects again as often as it has to. */
final class Watch {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");
    private static final int TOKEN_ENDED = 4401;
    private static final int UNAUTHORIZED = 401;
    private static final int FORBIDDEN = 403;
    private static final double HEARTBEATS_TO_DEATH = 2.5;
    // Servers of before say no hello, and ping every 4 seconds.
    private static final long GREETING = TimeUnit.SECONDS.toNanos(1);
    private static final long SILENCE_UNGREETED = TimeUnit.SECONDS.toNanos(15);
    private static final long GOODBYE = TimeUnit.MILLISECONDS.toNanos(300);

    private final Connector connector;
    private final Threads threads;
    private final Closing closing;
    private final Following following;
    private final Listeners listeners;
    private final String path;
    private final Requests requests;
    private final long timeout;
    private final Backoff lost = Backoff.reconnecting();
    private final Backoff refused = Backoff.refused();
    private final CountDownLatch tried = new CountDownLatch(1);
    private volatile WebSocket socket;
    private boolean isFailing;

    /** The path is that of the events, its query begun. */
    Watch(
            Connector connector,
            Requests requests,
            Threads threads,
            Closing closing,
            Following following,
            Listeners listeners,
            String path,
            long timeout) {
        this.connector = connector;
        this.requests = requests;
        this.threads = threads;
        this.closing = closing;
        this.following = following;
        this.listeners = listeners;
        this.path = path;
        this.timeout = timeout;
    }

    void start() {
        following.begun();
        threads.watching().run(this::run);
    }

    /** Until the first connection stands or has failed. */
    void awaitTried() {
        try {
            if (!tried.await(timeout, TimeUnit.NANOSECONDS)) {
                LOGGER.log(System.Logger.Level.DEBUG, "no connection within the time-out");
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Tells the server that the client leaves, unless that would take long, and lets go who waits for it. */
    void leave() {
        tried.countDown();
        WebSocket open = socket;
        if (open != null) {
            sayGoodbye(open);
        }
    }

    private static void sayGoodbye(WebSocket open) {
        try {
            open.sendClose(WebSocket.NORMAL, GOODBYE);
        } catch (IOException error) {
            LOGGER.log(System.Logger.Level.DEBUG, "left without a goodbye, or with one already said", error);
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
                follow();
                return;
            } catch (IOException error) {
                pause = afterFailure(error);
            } catch (RuntimeException | Error error) {
                LOGGER.log(System.Logger.Level.ERROR, "hot reload failed, reconnecting", error);
                pause = lost.next();
            } finally {
                tried.countDown();
            }
            closing.pause(pause);
        }
    }

    /** Follows one connection to its end. */
    private void follow() throws IOException {
        Position since = following.since();
        String query = since == null
                ? "&since=0"
                : "&since=" + since.revision() + "&epoch=" + Fetcher.encoded(since.epoch());
        WebSocket opened = WebSocket.open(connector, requests, path + query, timeout, this::setAlarm);
        try {
            socket = opened;
            listen(opened);
        } finally {
            if (closing.isClosed()) {
                // The one that closes has perhaps not come to it yet.
                sayGoodbye(opened);
            }
            // First, so that no report which hangs in it holds up what follows.
            opened.close();
            socket = null;
            following.disconnected();
        }
    }

    private void listen(WebSocket opened) throws IOException {
        long until = System.nanoTime() + Math.min(GREETING, timeout);
        Event first = opened.awaitMessage(until, timeout) ? Event.readUngreeted(opened.receive(timeout)) : null;
        if (first instanceof Event.Hello hello) {
            following.connected(hello, opened);
            stands();
            listenGreeted(opened, hello);
            return;
        }
        following.connectedUngreeted();
        stands();
        if (first != null) {
            following.take(first);
        }
        listenUngreeted(opened);
    }

    private void stands() {
        LOGGER.log(isFailing ? System.Logger.Level.WARNING : System.Logger.Level.DEBUG, "hot reload works");
        isFailing = false;
        tried.countDown();
    }

    private void listenGreeted(WebSocket opened, Event.Hello hello) throws IOException {
        long silence = (long) (hello.heartbeatSeconds() * HEARTBEATS_TO_DEATH * TimeUnit.SECONDS.toNanos(1));
        while (!closing.isClosed()) {
            take(Event.read(opened.receive(silence)));
        }
    }

    private void listenUngreeted(WebSocket opened) throws IOException {
        while (!closing.isClosed()) {
            Event event = Event.readUngreeted(opened.receive(SILENCE_UNGREETED));
            if (event instanceof Event.Hello late) {
                following.connected(late, opened);
                listenGreeted(opened, late);
                return;
            }
            take(event);
        }
    }

    private void take(Event event) {
        // Not at the hello or what says nothing: a server that cuts every connection at once is left in peace.
        if (!(event instanceof Event.Unknown)) {
            lost.reset();
            refused.reset();
        }
        following.take(event);
    }

    /** Answers how many nanoseconds to wait before the next connection. */
    private long afterFailure(IOException error) {
        if (closing.isClosed()) {
            return 0;
        }
        ResponseException refusal = refusal(error);
        if (refusal != null) {
            LOGGER.log(System.Logger.Level.WARNING, "hot reload is refused, it is tried again: " + refusal.getMessage());
            listeners.tellError(refusal);
            return refused.next();
        }
        System.Logger.Level level = isFailing ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING;
        LOGGER.log(level, "hot reload stopped, reconnecting until it works: " + error.getMessage());
        isFailing = true;
        return lost.next();
    }

    private static ResponseException refusal(IOException error) {
        if (error instanceof ClosedByServerException closed && closed.code() == TOKEN_ENDED) {
            return new UnauthorizedException(UNAUTHORIZED, closed.getMessage());
        }
        if (error instanceof RefusedException refused) {
            int status = refused.response().status();
            return status == UNAUTHORIZED || status == FORBIDDEN ? ResponseException.of(refused.response()) : null;
        }
        return null;
    }
}
