package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.net.Response;
import java.util.Map;

/** The server answered with an error status. */
public class ResponseException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    private final int status;

    ResponseException(int status, String message) {
        super(status + ": " + message, null);
        this.status = status;
    }

    /** The status of HTTP. */
    public int status() {
        return status;
    }

    /** The error for an answer, in the words of its field "error" where it has one. */
    static ResponseException of(Response response) {
        int status = response.status();
        String words = words(response.body());
        return switch (status) {
            case 401 -> new UnauthorizedException(status, words);
            case 403 -> new ForbiddenException(status, words);
            case 404 -> new NotFoundException(status, words);
            default -> status >= 500 ? new ServerException(status, words) : new ResponseException(status, words);
        };
    }

    private static String words(byte[] body) {
        try {
            if (JsonReader.read(body) instanceof Map<?, ?> answer && answer.get("error") instanceof String words) {
                return words;
            }
        } catch (JsonException foreign) {
            // Whatever stands between (a proxy, another server) answers in its own format.
            return "the server gave no reason";
        }
        return "the server gave no reason";
    }
}
