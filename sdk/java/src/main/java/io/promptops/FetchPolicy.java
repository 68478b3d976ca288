package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.net.BadResponseException;
import io.promptops.internal.net.Connector;
import io.promptops.internal.net.HttpClient;
import io.promptops.internal.net.Requests;
import io.promptops.internal.net.Response;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.function.BooleanSupplier;

/** Fetches prompts: requests, required positions, the meaning of responses. */
final class FetchPolicy {
    private static final int LARGEST_PROMPT = 16 * 1024 * 1024;
    private static final int LARGEST_SNAPSHOT = 64 * 1024 * 1024;

    private final Connector connector;
    private final HttpClient http;
    private final String environment;
    private final String workspaceQuery;
    private final HangingServer hangingServer = new HangingServer();
    // Such a server sends its epoch with each 404.
    private volatile boolean serverHasEpochs;

    FetchPolicy(Connector connector, Requests requests, String environment, String workspace) {
        this.connector = connector;
        this.http = new HttpClient(connector, requests);
        this.environment = environment;
        this.workspaceQuery = workspace.isEmpty() ? "" : "&workspace=" + urlEncoded(workspace);
    }

    /**
     * Returns the server's copy, or the confirmed cached one. Throws every PromptOpsException except those of
     * templates.
     *
     * @param cached the cached copy, or null
     * @param minPosition the required position, or null
     * @param copyHasEpoch whether a copy of the prompt comes from a server with epochs
     */
    CachedPrompt fetchPrompt(String key, CachedPrompt cached, FeedPosition minPosition, BooleanSupplier copyHasEpoch, long deadline) {
        String path = "/api/sdk/prompts/" + urlEncoded(key) + query("&full=true", minPosition);
        Response response = get(path, cached == null ? null : cached.etag(), deadline, LARGEST_PROMPT);
        if (response.status() == 304 && cached != null) {
            return cached.confirmed(positionOf(response));
        }
        if (response.status() == 404) {
            boolean hasEpochs = serverHasEpochs || copyHasEpoch.getAsBoolean();
            throw notFound(response, hasEpochs, cached == null ? null : cached.position(), minPosition);
        }
        if (response.status() != 200) {
            throw ResponseException.of(response);
        }
        FullPrompt fullPrompt = read(response.body());
        fullPrompt.requireKey(key);
        return new CachedPrompt(fullPrompt, response.header("etag"), positionOf(response), System.nanoTime());
    }

    /** A snapshot and its position, which is null if the server sent none. */
    record SnapshotResult(Snapshot snapshot, FeedPosition position) {}

    /** Fetches all prompts of the environment; throws the same errors. */
    SnapshotResult fetchSnapshot(FeedPosition minPosition, long deadline) {
        boolean hasPosition = minPosition != null && minPosition.isOfServer();
        String path = "/api/sdk/snapshot" + query("", hasPosition ? minPosition : null);
        Response response = get(path, null, deadline, LARGEST_SNAPSHOT);
        if (response.status() == 404) {
            throw notFound(response, true, null, null);
        }
        if (response.status() != 200) {
            throw ResponseException.of(response);
        }
        try {
            String json = JsonReader.decode(response.body());
            return new SnapshotResult(Snapshot.read(json, environment, "the snapshot"), positionOf(response));
        } catch (JsonException error) {
            throw new ProtocolException("the snapshot " + error.getMessage(), error);
        }
    }

    /** The state of a server that hangs, as detected by fetches. */
    HangingServer hangingServer() {
        return hangingServer;
    }

    private String query(String kind, FeedPosition minPosition) {
        String reaching = minPosition == null
                ? ""
                : "&min_revision=" + minPosition.revision() + "&epoch=" + urlEncoded(minPosition.epoch());
        return "?env=" + urlEncoded(environment) + kind + workspaceQuery + reaching;
    }

    /** Notes that the server has epochs. */
    void noteEpoch() {
        serverHasEpochs = true;
    }

    static String urlEncoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Translates a failure of the transport into an error of this client. */
    static PromptOpsException translatedError(IOException error, Connector connector) {
        if (connector.isClosed()) {
            return new ClientClosedException();
        }
        if (error instanceof SocketTimeoutException) {
            return new RequestTimeoutException("no complete response from " + connector.route() + " within the time-out", error);
        }
        if (error instanceof BadResponseException) {
            return new ProtocolException(
                    connector.route() + " does not respond like PromptOps: " + error.getMessage(), error);
        }
        String reason = error.getMessage() == null ? error.getClass().getSimpleName() : error.getMessage();
        return new ServerUnreachableException("can't reach " + connector.address().url() + ": " + reason, error);
    }

    private Response get(String path, String etag, long deadline, int largest) {
        if (connector.isClosed()) {
            throw new ClientClosedException();
        }
        try {
            Response response = http.get(path, etag, deadline, largest);
            hangingServer.recordResponse();
            if (Absence.hasEpoch(response)) {
                noteEpoch();
            }
            return response;
        } catch (IOException error) {
            throw translatedError(error, connector);
        }
    }

    /**
     * The error for a 404: not found only if PromptOps itself sent it, at a position that is not older than
     * the known ones.
     */
    private static PromptOpsException notFound(
            Response response, boolean serverHasEpochs, FeedPosition cached, FeedPosition minPosition) {
        if (!Absence.isStated(response, serverHasEpochs)) {
            return new ProtocolException("received a 404 that is not from PromptOps; check the server's address", null);
        }
        String message = ResponseException.serverMessage(response);
        FeedPosition position = positionOf(response);
        boolean isStale = position != null
                && (cached != null && position.isBefore(cached) || minPosition != null && position.isBefore(minPosition));
        return isStale
                ? new ServerException(503, "a replica is behind: " + message)
                : new NotFoundException(404, message);
    }

    private static FullPrompt read(byte[] body) {
        try {
            return FullPrompt.read(JsonReader.decode(body));
        } catch (JsonException error) {
            throw new ProtocolException("the server sent a prompt that " + error.getMessage(), error);
        }
    }

    private static FeedPosition positionOf(Response response) {
        String revision = response.header("x-promptops-revision");
        String epoch = response.header("x-promptops-epoch");
        if (revision == null || !Absence.hasEpoch(response)) {
            return null;
        }
        try {
            return new FeedPosition(epoch, Long.parseLong(revision));
        } catch (NumberFormatException error) {
            throw new ProtocolException("the server sent a revision that is not a number: " + revision, error);
        }
    }
}
