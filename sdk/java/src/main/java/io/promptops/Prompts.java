package io.promptops;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The interface for prompts: a {@link PromptOpsClient}, or {@link FakePrompts} in tests. */
public interface Prompts extends AutoCloseable {
    /**
     * Returns the prompt from the first of these that has it: memory, the server, the cache folder, the
     * bundle, the default. Concurrent calls for one key share one request.
     *
     * @throws NotFoundException if the server responds that it does not exist, and there is no default
     * @throws PromptOpsException the server's failure, if none of the others has the prompt
     * @throws IllegalArgumentException for an empty key, "." and ".."
     */
    Prompt getPrompt(String key, PromptOptions options);

    default Prompt getPrompt(String key) {
        return getPrompt(key, PromptOptions.NONE);
    }

    /**
     * Returns the prompt's content with the variables inserted. A missing or null variable leaves its
     * placeholder in the text, unless the options are strict.
     *
     * @throws MissingVariableException if a strict rendering lacks one
     * @throws TemplateValueException if a value has no JSON form
     * @throws PromptOpsException like getPrompt
     */
    default String render(String key, Map<String, ?> variables, PromptOptions options) {
        return Template.render(getPrompt(key, options).content(), variables, options.isStrict());
    }

    default String render(String key, Map<String, ?> variables) {
        return render(key, variables, PromptOptions.NONE);
    }

    /** Returns the content of a prompt without variables. */
    default String render(String key) {
        return render(key, Map.of(), PromptOptions.NONE);
    }

    /**
     * Returns the messages of a chat prompt, rendered as by {@link Prompt#renderMessages}; a text prompt
     * becomes one message of the user.
     *
     * @throws MissingVariableException if a strict rendering lacks a variable, including a placeholder's
     * @throws PlaceholderException if a variable can't fill a placeholder
     * @throws PromptOpsException like getPrompt
     */
    default List<Message> renderMessages(String key, Map<String, ?> variables, PromptOptions options) {
        return getPrompt(key, options).rendered(variables, options.isStrict());
    }

    default List<Message> renderMessages(String key, Map<String, ?> variables) {
        return renderMessages(key, variables, PromptOptions.NONE);
    }

    /**
     * Caches all prompts of the environment with one request; returns their keys.
     *
     * @throws PromptOpsException the server's failure, which changes nothing
     */
    List<String> preload();

    /** Keeps cached prompts up to date from now on. */
    void watch();

    /**
     * Keeps cached prompts up to date, and calls the listener with the key of each changed or deleted prompt
     * after the new copy is cached.
     */
    void watch(Consumer<String> onChange);

    @Override
    void close();
}
