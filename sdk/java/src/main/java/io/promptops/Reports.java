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

/** Reports the cached keys and the applied position to the server. */
final class Reports {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");
    private static final int BETWEEN_KEY_REPORTS = 200;
    private static final int BETWEEN_APPLIED = 100;
    private static final int MOST_KEYS = 1000;
    private static final int LARGEST_TEXT = 64 * 1024;

    private final Supplier<List<String>> cachedKeys;
    private final Supplier<FeedPosition> applied;
    private final Throttled keysReport;
    private final Throttled appliedReport;
    private WebSocket socket;
    private String epoch;
    private Set<String> reportedKeys = Set.of();
    private long reportedRevision;

    /** The workers may have to wait until the server reads. */
    Reports(Workers workers, Supplier<List<String>> cachedKeys, Supplier<FeedPosition> applied) {
        this.cachedKeys = cachedKeys;
        this.applied = applied;
        this.keysReport = new Throttled(workers, BETWEEN_KEY_REPORTS, this::sendCachedKeys);
        this.appliedReport = new Throttled(workers, BETWEEN_APPLIED, this::sendApplied);
    }

    /** Resets the reports, because the server has discarded those of earlier connections. */
    void connected(WebSocket connection, String epochOfHello) {
        synchronized (this) {
            socket = connection;
            epoch = epochOfHello;
            reportedKeys = Set.of();
            reportedRevision = -1;
        }
        keysReport.request();
    }

    synchronized void resynced(String epochOfResync) {
        epoch = epochOfResync;
        reportedRevision = -1;
    }

    synchronized void disconnected() {
        socket = null;
    }

    void cachedKeysChanged() {
        keysReport.request();
    }

    void appliedChanged() {
        appliedReport.request();
    }

    private boolean sendCachedKeys() {
        Set<String> keys = new HashSet<>(cachedKeys.get());
        WebSocket open;
        synchronized (this) {
            if (socket == null || keys.equals(reportedKeys)) {
                return false;
            }
            reportedKeys = keys;
            open = socket;
        }
        String text = keysReport(keys.size() > MOST_KEYS ? List.of("*") : keys);
        boolean fits = text.getBytes(StandardCharsets.UTF_8).length <= LARGEST_TEXT;
        send(open, fits ? text : keysReport(List.of("*")));
        return true;
    }

    private boolean sendApplied() {
        FeedPosition position = applied.get();
        WebSocket open;
        synchronized (this) {
            boolean isNew = position != null && position.epoch().equals(epoch) && position.revision() > reportedRevision;
            if (socket == null || !isNew) {
                return false;
            }
            reportedRevision = position.revision();
            open = socket;
        }
        send(open, "{\"type\":\"applied\",\"revision\":" + position.revision() + "}");
        return true;
    }

    // Without the lock, because a server that does not read must not block the thread of the watch.
    private static void send(WebSocket open, String text) {
        try {
            open.send(text);
        } catch (IOException error) {
            // The reader of the connection detects it too, and reconnects.
            LOGGER.log(System.Logger.Level.DEBUG, "a report was not sent", error);
        }
    }

    private static String keysReport(Collection<String> keys) {
        return "{\"type\":\"holding\",\"keys\":" + JsonWriter.write(keys) + "}";
    }
}
