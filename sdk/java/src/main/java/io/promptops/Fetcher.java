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

/** Asks the server for a prompt. */
final class Fetcher {
    private final Connector connector;
    private final HttpClient http;
    private final String query;

    Fetcher(Connector connector, Requests requests, String environment, String workspace) {
        this.connector = connector;
        this.http = new HttpClient(connector, requests);
        this.query = "?env=" + encoded(environment) + "&full=true"
                + (workspace.isEmpty() ? "" : "&workspace=" + encoded(workspace));
    }

    /**
     * The server's copy, or the known one confirmed. Raises every PromptOpsException but those of
     * templates.
     *
     * @param known null, or what is held
     * @param atLeast null, or when the answer must be of
     */
    Held fetch(String key, Held known, Position atLeast, long deadline) {
        String path = "/api/sdk/prompts/" + encoded(key) + query
                + (atLeast == null
                        ? ""
                        : "&min_revision=" + atLeast.revision() + "&epoch=" + encoded(atLeast.epoch()));
        Response response = get(path, known == null ? null : known.etag(), deadline);
        if (response.status() == 304 && known != null) {
            return known.confirmed(position(response));
        }
        if (response.status() == 404) {
            throw notFound(response, known == null ? null : known.position(), atLeast);
        }
        if (response.status() != 200) {
            throw ResponseException.of(response);
        }
        Whole whole = read(response.body());
        if (!whole.key().equals(key)) {
            throw Members.wrong("key");
        }
        return new Held(whole, response.header("etag"), position(response), System.nanoTime());
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

    private Response get(String path, String etag, long deadline) {
        if (connector.isClosed()) {
            throw new ClientClosedException();
        }
        try {
            return http.get(path, etag, deadline);
        } catch (IOException error) {
            throw translated(error, connector);
        }
    }

    /** A fact only where it is the server's own word, and not of before what is known or asked for. */
    private static PromptOpsException notFound(Response response, Position known, Position atLeast) {
        String words = ResponseException.words(response);
        if (words == null) {
            return new ProtocolException("a 404 that is not PromptOps' own", null);
        }
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
        if (revision == null || epoch == null) {
            return null;
        }
        try {
            return new Position(epoch, Long.parseLong(revision));
        } catch (NumberFormatException bad) {
            throw new ProtocolException("the server sent a revision that is no number: " + revision, bad);
        }
    }
}
