package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.net.MaskedUrl;
import io.promptops.internal.net.Response;
import java.util.Map;

/** The server responded with an error status. */
public class ResponseException extends PromptOpsException {
    private static final long serialVersionUID = 1L;

    private static final int LONGEST_ADDRESS = 300;

    private final int status;

    ResponseException(int status, String message) {
        super(status + ": " + message, null);
        this.status = status;
    }

    /** The HTTP status. */
    public int status() {
        return status;
    }

    /** The error for a response: the redirect's address, or the server's message if there is one. */
    static ResponseException of(Response response) {
        int status = response.status();
        String location = response.header("location");
        if (status >= 300 && status < 400 && location != null) {
            return of(status, redirectMessage(MaskedUrl.of(location)));
        }
        String serverMessage = serverMessage(response);
        return of(status, serverMessage == null ? "the server gave no reason" : serverMessage);
    }

    private static String redirectMessage(String address) {
        String start = address.substring(0, Math.min(address.length(), LONGEST_ADDRESS));
        return "the server redirects to '" + start + "'; use that address";
    }

    private static ResponseException of(int status, String serverMessage) {
        return switch (status) {
            case 401 -> new UnauthorizedException(status, serverMessage);
            case 403 -> new ForbiddenException(status, serverMessage);
            case 404 -> new NotFoundException(status, serverMessage);
            default -> status >= 500 ? new ServerException(status, serverMessage) : new ResponseException(status, serverMessage);
        };
    }

    /** The field "error" of a PromptOps server's error; null in other formats. */
    static String serverMessage(Response response) {
        try {
            Object answer = JsonReader.read(response.body());
            return answer instanceof Map<?, ?> object && object.get("error") instanceof String serverMessage ? serverMessage : null;
        } catch (JsonException error) {
            return null;
        }
    }
}
