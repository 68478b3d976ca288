package io.promptops;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * The prompt for one call.
 *
 * @param key the key of the prompt
 * @param version its published version, or that of the working copy
 * @param env the environment that it was read from
 * @param model the model that its author chose, usually empty
 * @param content the text with placeholders; of a chat, the texts of its messages
 * @param variant the chosen variant of the rollout, null without a rollout
 * @param kind "text" or "chat"
 * @param messages the messages of a chat including placeholders, else empty
 * @param config parameters of the model and other settings of its author; JSON as maps, lists, text, Boolean,
 *     Long (BigInteger beyond), Double and null, all unmodifiable
 * @param variables the names of its variables, including those of placeholders
 * @param source where the prompt comes from
 * @param revision the server's revision, null for a bundle or a default
 * @param age the time since the server last confirmed it, null if unknown
 */
public record Prompt(
        String key,
        String version,
        String env,
        String model,
        String content,
        String variant,
        String kind,
        List<Message> messages,
        Map<String, Object> config,
        List<String> variables,
        Source source,
        Long revision,
        Duration age) {

    /** Returns the content with the variables inserted. */
    public String render(Map<String, ?> variables) {
        return Template.render(content, variables, false);
    }

    /**
     * Returns the content with all variables inserted.
     *
     * @throws MissingVariableException if one is missing or null
     */
    public String renderStrict(Map<String, ?> variables) {
        return Template.render(content, variables, true);
    }

    /**
     * Returns the messages with the variables in texts and URLs; a text prompt becomes one message of the
     * user. A placeholder is replaced by the list of messages in the variable of its name, each a {@link
     * Message} or a map, unchanged; without the variable it is left out.
     *
     * @throws PlaceholderException if the value is not a list of messages
     */
    public List<Message> renderMessages(Map<String, ?> variables) {
        return rendered(variables, false);
    }

    List<Message> rendered(Map<String, ?> variables, boolean strict) {
        List<Message> templates = messages.isEmpty() ? List.of(new Message("user", content)) : messages;
        return Chat.render(templates, variables, strict);
    }
}
