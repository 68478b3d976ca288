package io.promptops;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/**
 * Prompts for the tests of programs that use {@link Prompts}: no server, no thread.
 *
 * <pre>{@code
 * Prompts prompts = new FakePrompts().with("greeting", "Hello {{who}}!");
 * }</pre>
 */
public final class FakePrompts implements Prompts {
    private final Map<String, Prompt> prompts = new ConcurrentHashMap<>();
    private final List<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
    private volatile boolean isUnreachable;
    private volatile boolean isWatching;

    /** None yet. */
    public FakePrompts() {}

    /** Adds a text prompt, or changes it; listeners are told at once, in this thread. */
    public FakePrompts with(String key, String content) {
        return with(Whole.of(key, "test", content).answer(null, Source.MEMORY, null, Duration.ZERO));
    }

    /** Likewise, any prompt. */
    public FakePrompts with(Prompt prompt) {
        prompts.put(prompt.key(), prompt);
        tell(prompt.key());
        return this;
    }

    /** Removes a prompt, as a deletion on the server does. */
    public void remove(String key) {
        if (prompts.remove(key) != null) {
            tell(key);
        }
    }

    /** From now on as if nothing was known and the server could not be reached; or again as ever. */
    public void setUnreachable(boolean unreachable) {
        isUnreachable = unreachable;
    }

    /** A subject does not matter here. */
    @Override
    public Prompt getPrompt(String key, PromptOptions options) {
        Required.argument(key, "a prompt's key");
        Required.argument(options, "the options");
        Prompt known = isUnreachable ? null : prompts.get(key);
        if (known != null) {
            return known;
        }
        if (options.fallback() != null) {
            return Whole.defaultAnswer(key, options.fallback());
        }
        if (isUnreachable) {
            throw new ServerUnreachableException("the fake was told to be unreachable", null);
        }
        throw new NotFoundException(404, "no prompt '" + key + "' was given to the fake");
    }

    @Override
    public List<String> preload() {
        if (isUnreachable) {
            throw new ServerUnreachableException("the fake was told to be unreachable", null);
        }
        return prompts.keySet().stream().sorted().toList();
    }

    @Override
    public void watch() {
        isWatching = true;
    }

    @Override
    public void watch(Consumer<String> onChange) {
        listeners.add(Required.argument(onChange, "the listener"));
        isWatching = true;
    }

    /** Whether watch was called and close was not. */
    public boolean isWatching() {
        return isWatching;
    }

    @Override
    public void close() {
        isWatching = false;
        listeners.clear();
    }

    private void tell(String key) {
        listeners.forEach(each -> each.accept(key));
    }
}
