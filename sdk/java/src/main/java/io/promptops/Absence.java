package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.net.Response;
import java.util.Map;

/** Tells PromptOps' own 404, which says that a prompt does not exist, from that of anybody else. */
final class Absence {
    private static final String CODE = "not_found";
    // PromptOps' own 404 is far shorter.
    private static final int LARGEST_BODY = 64 * 1024;

    private Absence() {}

    /**
     * Whether PromptOps itself states it: with the header of its epoch and the code. Older servers send
     * neither; where no epoch was ever seen, a body with a text `error` and nothing else counts.
     */
    static boolean isStated(Response response, boolean serverHasEpochs) {
        Map<?, ?> body = body(response);
        if (!(body.get("error") instanceof String)) {
            return false;
        }
        boolean hasCode = CODE.equals(body.get("code"));
        if (hasEpoch(response)) {
            return hasCode;
        }
        return !serverHasEpochs && body.size() == (hasCode ? 2 : 1);
    }

    /** Whether the server said which epoch its answer is of. */
    static boolean hasEpoch(Response response) {
        String epoch = response.header("x-promptops-epoch");
        return epoch != null && !epoch.isEmpty();
    }

    private static Map<?, ?> body(Response response) {
        if (response.body().length > LARGEST_BODY) {
            return Map.of();
        }
        try {
            return JsonReader.readObject(JsonReader.decode(response.body()));
        } catch (JsonException foreign) {
            return Map.of();
        }
    }
}
