package io.promptops;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** What programs ask for prompts: a {@link PromptOpsClient}, or {@link FakePrompts} in their tests. */
public interface Prompts extends AutoCloseable {
    /**
     * The prompt, from the first of these that has it: memory, the server, the cache folder, the
     * bundle, the default. Threads that ask for one key at the same time share one request.
     *
     * @throws NotFoundException where the server says so and no default was given
     * @throws PromptOpsException the server's failure, where none of the others has the prompt
     * @throws IllegalArgumentException for an empty key, "." and ".."
     */
    Prompt getPrompt(String key, PromptOptions options);

    /** Likewise, with nothing special. */
    default Prompt getPrompt(String key) {
        return getPrompt(key, PromptOptions.NONE);
    }

    /**
     * The prompt's content with the variables put in. A variable that is missing or null stays in
     * the text as it was, unless the options are strict.
     *
     * @throws MissingVariableException where a strict rendering lacks one
     * @throws TemplateValueException where a value has no JSON form
     * @throws PromptOpsException as getPrompt
     */
    default String render(String key, Map<String, ?> variables, PromptOptions options) {
        return Template.render(getPrompt(key, options).content(), variables, options.isStrict());
    }

    /** Likewise, with nothing special. */
    default String render(String key, Map<String, ?> variables) {
        return render(key, variables, PromptOptions.NONE);
    }

    /** The prompt's content, where it needs no variables. */
    default String render(String key) {
        return render(key, Map.of(), PromptOptions.NONE);
    }

    /** The messages of a chat prompt with the variables put in, as render does; of a text prompt, none. */
    default List<Message> renderMessages(String key, Map<String, ?> variables, PromptOptions options) {
        return getPrompt(key, options).rendered(variables, options.isStrict());
    }

    /** Likewise, with nothing special. */
    default List<Message> renderMessages(String key, Map<String, ?> variables) {
        return renderMessages(key, variables, PromptOptions.NONE);
    }

    /**
     * Has all prompts of the environment held, by one request. Answers their keys.
     *
     * @throws PromptOpsException the server's failure, which changes nothing
     */
    List<String> preload();

    /** Keeps what is held up to date from now on. */
    void watch();

    /**
     * Keeps what is held up to date, and calls the listener with the key of each prompt that
     * changed or was deleted, once the new copy is held.
     */
    void watch(Consumer<String> onChange);

    @Override
    void close();
}
