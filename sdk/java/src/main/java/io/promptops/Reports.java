package io.promptops;

import io.promptops.internal.json.JsonWriter;
import io.promptops.internal.net.WebSocket;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Tells the server which prompts are held and up to where changes are applied. */
final class Reports {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");
    private static final int BETWEEN_HOLDINGS = 200;
    private static final int BETWEEN_APPLIED = 100;
    private static final int MOST_KEYS = 1000;
    private static final int LARGEST_TEXT = 64 * 1024;

    private final Supplier<List<String>> heldKeys;
    private final Supplier<Position> applied;
    private final Throttled holding;
    private final Throttled applying;
    private WebSocket socket;
    private String epoch;
    private Set<String> toldKeys = Set.of();
    private long toldRevision;

    /** The workers may have to wait until the server reads. */
    Reports(Workers workers, Supplier<List<String>> heldKeys, Supplier<Position> applied) {
        this.heldKeys = heldKeys;
        this.applied = applied;
        this.holding = new Throttled(workers, BETWEEN_HOLDINGS, this::sendHolding);
        this.applying = new Throttled(workers, BETWEEN_APPLIED, this::sendApplied);
    }

    /** The server has forgotten what it was told on another connection. */
    void connected(WebSocket connection, String epochOfHello) {
        synchronized (this) {
            socket = connection;
            epoch = epochOfHello;
            toldKeys = Set.of();
            toldRevision = -1;
        }
        holding.request();
    }

    synchronized void resynced(String epochOfResync) {
        epoch = epochOfResync;
        toldRevision = -1;
    }

    synchronized void disconnected() {
        socket = null;
    }

    void holdingChanged() {
        holding.request();
    }

    void appliedChanged() {
        applying.request();
    }

    private boolean sendHolding() {
        Set<String> keys = new HashSet<>(heldKeys.get());
        WebSocket open;
        synchronized (this) {
            if (socket == null || keys.equals(toldKeys)) {
                return false;
            }
            toldKeys = keys;
            open = socket;
        }
        String text = holding(keys.size() > MOST_KEYS ? List.of("*") : keys);
        boolean fits = text.getBytes(StandardCharsets.UTF_8).length <= LARGEST_TEXT;
        send(open, fits ? text : holding(List.of("*")));
        return true;
    }

    private boolean sendApplied() {
        Position position = applied.get();
        WebSocket open;
        synchronized (this) {
            boolean isNew = position != null && position.epoch().equals(epoch) && position.revision() > toldRevision;
            if (socket == null || !isNew) {
                return false;
            }
            toldRevision = position.revision();
            open = socket;
        }
        send(open, "{\"type\":\"applied\",\"revision\":" + position.revision() + "}");
        return true;
    }

    // Without the lock: a server that does not read must not hold up whoever listens to it.
    private static void send(WebSocket open, String text) {
        try {
            open.send(text);
        } catch (IOException error) {
            // Whoever reads from the connection notices it too, and connects again.
            LOGGER.log(System.Logger.Level.DEBUG, "a report was not sent", error);
        }
    }

    private static String holding(Collection<String> keys) {
        return "{\"type\":\"holding\",\"keys\":" + JsonWriter.write(keys) + "}";
    }
}
