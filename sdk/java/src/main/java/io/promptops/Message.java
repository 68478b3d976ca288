package io.promptops;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One message of a chat prompt, or a placeholder for the messages in a variable.
 *
 * @param role system, user, assistant, tool, ...; empty for a placeholder
 * @param content its text; of several parts their texts, joined by blank lines
 * @param json the whole message in the format of OpenAI's Chat Completions, unmodifiable, including parts,
 *     tool calls, tool call id and name
 */
public record Message(String role, String content, Map<String, Object> json) {

    /** Creates a message with a text. */
    public Message(String role, String content) {
        this(role, content, textOnly(role, content));
    }

    /** Whether it is a placeholder, which a variable fills when the prompt is rendered. */
    public boolean isPlaceholder() {
        return Chat.PLACEHOLDER.equals(json.get("type"));
    }

    private static Map<String, Object> textOnly(String role, String content) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("role", role);
        json.put("content", content);
        return Collections.unmodifiableMap(json);
    }
}
