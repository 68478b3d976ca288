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

    /** The error for an answer, in the server's words where it has some. */
    static ResponseException of(Response response) {
        int status = response.status();
        String words = words(response);
        return of(status, words == null ? "the server gave no reason" : words);
    }

    private static ResponseException of(int status, String words) {
        return switch (status) {
            case 401 -> new UnauthorizedException(status, words);
            case 403 -> new ForbiddenException(status, words);
            case 404 -> new NotFoundException(status, words);
            default -> status >= 500 ? new ServerException(status, words) : new ResponseException(status, words);
        };
    }

    /** Its field "error", which every error of a PromptOps server has; null where it is somebody else's. */
    static String words(Response response) {
        try {
            Object answer = JsonReader.read(response.body());
            return answer instanceof Map<?, ?> object && object.get("error") instanceof String words ? words : null;
        } catch (JsonException foreign) {
            return null;
        }
    }
}
