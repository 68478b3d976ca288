package io.promptops;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * A prompt as it is answered to one call.
 *
 * @param key what it is called
 * @param version its published version, or that of the working copy
 * @param env the environment that it was read from
 * @param model the model that its author chose, mostly empty
 * @param content the text with placeholders; of a chat, the texts of its messages
 * @param variant the rollout's variant that this is, null while no rollout is on
 * @param kind "text" or "chat"
 * @param messages the messages of a chat, else empty
 * @param config parameters of the model and whatever else its author set; JSON as maps, lists, text,
 *     Boolean, Long (BigInteger beyond), Double and null, all unmodifiable
 * @param variables the names of its placeholders
 * @param source where this answer came from
 * @param revision the server's revision that it is of, null of a bundle or a default
 * @param age how long ago the server last confirmed it, null where that is not known
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

    /** The content with the variables put in. */
    public String render(Map<String, ?> variables) {
        return Template.render(content, variables, false);
    }

    /**
     * Likewise.
     *
     * @throws MissingVariableException where one is missing or null
     */
    public String renderStrict(Map<String, ?> variables) {
        return Template.render(content, variables, true);
    }

    /** The messages with the variables put in; of a text prompt, none. */
    public List<Message> renderMessages(Map<String, ?> variables) {
        return rendered(variables, false);
    }

    List<Message> rendered(Map<String, ?> variables, boolean strict) {
        return messages.stream()
                .map(each -> new Message(each.role(), Template.render(each.content(), variables, strict)))
                .toList();
    }
}
