package io.promptops;

import java.util.Optional;

/**
 * A prompt has changed.
 *
 * @param key the key of the prompt
 * @param type prompt.updated, prompt.published or prompt.deleted from the server; prompt.refreshed if a
 *     refetch detected the change
 * @param prompt the new copy; empty if it was deleted
 */
public record Update(String key, String type, Optional<Prompt> prompt) {
    static final String REFRESHED = "prompt.refreshed";
    static final String DELETED = "prompt.deleted";
}
