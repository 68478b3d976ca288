package io.promptops;

import java.util.Optional;

/**
 * A prompt changed.
 *
 * @param key of the prompt
 * @param type prompt.updated, prompt.published or prompt.deleted, as the server says; prompt.refreshed
 *     where a refetch brought the change to light
 * @param prompt the new copy; empty where it is gone
 */
public record Update(String key, String type, Optional<Prompt> prompt) {
    static final String REFRESHED = "prompt.refreshed";
    static final String DELETED = "prompt.deleted";
}
