package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.net.BadAnswerException;
import io.promptops.internal.net.Connector;
import io.promptops.internal.net.HttpClient;
import io.promptops.internal.net.Requests;
import io.promptops.internal.net.Response;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.function.BooleanSupplier;

/** Asks the server for a prompt. */
final class Fetcher {
    private static final int LARGEST_PROMPT = 16 * 1024 * 1024;
    private static final int LARGEST_SNAPSHOT = 64 * 1024 * 1024;

    private final Connector connector;
    private final HttpClient http;
    private final String environment;
    private final String workspaceQuery;
    private final Hanging hanging = new Hanging();
    // Since then its 404 names the epoch, too.
    private volatile boolean serverHasEpochs;

    Fetcher(Connector connector, Requests requests, String environment, String workspace) {
        this.connector = connector;
        this.http = new HttpClient(connector, requests);
        this.environment = environment;
        this.workspaceQuery = workspace.isEmpty() ? "" : "&workspace=" + encoded(workspace);
    }

    /**
     * The server's copy, or the known one confirmed. Raises every PromptOpsException but those of
     * templates.
     *
     * @param known null, or what is held
     * @param atLeast null, or when the answer must be of
     * @param copyHasEpoch whether a copy of the prompt is of a server with epochs
     */
    Held fetch(String key, Held known, Position atLeast, BooleanSupplier copyHasEpoch, long deadline) {
        String path = "/api/sdk/prompts/" + encoded(key) + query("&full=true", atLeast);
        Response response = get(path, known == null ? null : known.etag(), deadline, LARGEST_PROMPT);
        if (response.status() == 304 && known != null) {
            return known.confirmed(position(response));
        }
        if (response.status() == 404) {
            boolean hasEpochs = serverHasEpochs || copyHasEpoch.getAsBoolean();
            throw notFound(response, hasEpochs, known == null ? null : known.position(), atLeast);
        }
        if (response.status() != 200) {
            throw ResponseException.of(response);
        }
        Whole whole = read(response.body());
        whole.requireKey(key);
        return new Held(whole, response.header("etag"), position(response), System.nanoTime());
    }

    /** A snapshot, and when it is of; null where the server did not say. */
    record OfSnapshot(Snapshot snapshot, Position position) {}

    /** All prompts of the environment; raises likewise. */
    OfSnapshot fetchSnapshot(Position atLeast, long deadline) {
        boolean isKnown = atLeast != null && atLeast.isOfServer();
        String path = "/api/sdk/snapshot" + query("", isKnown ? atLeast : null);
        Response response = get(path, null, deadline, LARGEST_SNAPSHOT);
        if (response.status() == 404) {
            throw notFound(response, true, null, null);
        }
        if (response.status() != 200) {
            throw ResponseException.of(response);
        }
        try {
            String json = JsonReader.decode(response.body());
            return new OfSnapshot(Snapshot.read(json, environment, "the snapshot"), position(response));
        } catch (JsonException bad) {
            throw new ProtocolException("the snapshot " + bad.getMessage(), bad);
        }
    }

    /** Of the server, as far as fetches tell. */
    Hanging hanging() {
        return hanging;
    }

    private String query(String kind, Position atLeast) {
        String reaching = atLeast == null
                ? ""
                : "&min_revision=" + atLeast.revision() + "&epoch=" + encoded(atLeast.epoch());
        return "?env=" + encoded(environment) + kind + workspaceQuery + reaching;
    }

    /** The server has named its epoch. */
    void hearEpoch() {
        serverHasEpochs = true;
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** What the transport's failure means to the program. */
    static PromptOpsException translated(IOException error, Connector connector) {
        String url = connector.address().url();
        if (connector.isClosed()) {
            return new ClientClosedException();
        }
        if (error instanceof SocketTimeoutException) {
            return new RequestTimeoutException("no full answer from " + url + " within the time-out", error);
        }
        if (error instanceof BadAnswerException) {
            return new ProtocolException(url + " does not answer as PromptOps does: " + error.getMessage(), error);
        }
        String reason = error.getMessage() == null ? error.getClass().getSimpleName() : error.getMessage();
        return new ServerUnreachableException("can't reach " + url + ": " + reason, error);
    }

    private Response get(String path, String etag, long deadline, int largest) {
        if (connector.isClosed()) {
            throw new ClientClosedException();
        }
        try {
            Response response = http.get(path, etag, deadline, largest);
            hanging.ended();
            if (Absence.hasEpoch(response)) {
                hearEpoch();
            }
            return response;
        } catch (IOException error) {
            throw translated(error, connector);
        }
    }

    /** A fact only where it is the server's own word, and not of before what is known or asked for. */
    private static PromptOpsException notFound(
            Response response, boolean serverHasEpochs, Position known, Position atLeast) {
        if (!Absence.isStated(response, serverHasEpochs)) {
            return new ProtocolException("a 404 came that is not from PromptOps; check the server's address", null);
        }
        String words = ResponseException.words(response);
        Position at = position(response);
        boolean isOld = at != null
                && (known != null && at.isBefore(known) || atLeast != null && at.isBefore(atLeast));
        return isOld
                ? new ServerException(503, "a replica is behind, and says: " + words)
                : new NotFoundException(404, words);
    }

    private static Whole read(byte[] body) {
        try {
            return Whole.read(JsonReader.decode(body));
        } catch (JsonException bad) {
            throw new ProtocolException("the server sent a prompt that " + bad.getMessage(), bad);
        }
    }

    private static Position position(Response response) {
        String revision = response.header("x-promptops-revision");
        String epoch = response.header("x-promptops-epoch");
        if (revision == null || !Absence.hasEpoch(response)) {
            return null;
        }
        try {
            return new Position(epoch, Long.parseLong(revision));
        } catch (NumberFormatException bad) {
            throw new ProtocolException("the server sent a revision that is no number: " + revision, bad);
        }
    }
}
