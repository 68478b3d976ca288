package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.net.Response;
import java.util.Map;

/** Tells PromptOps' own 404 for a missing prompt from any other 404. */
final class Absence {
    private static final String CODE = "not_found";
    // PromptOps' own 404 is much shorter.
    private static final int LARGEST_BODY = 64 * 1024;

    private Absence() {}

    /**
     * Whether PromptOps itself sent the 404: with the header of its epoch and the code. Older servers send
     * neither: without any known epoch, a body that has only a text `error` is accepted.
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

    /** Whether the response has an epoch. */
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
