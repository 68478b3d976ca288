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

    /** Creates a fake without prompts. */
    public FakePrompts() {}

    /** Adds or changes a text prompt; notifies listeners immediately, in this thread. */
    public FakePrompts with(String key, String content) {
        return with(FullPrompt.of(key, "test", content).toPrompt(null, Source.MEMORY, null, Duration.ZERO));
    }

    /** Adds or changes any prompt; notifies listeners immediately, in this thread. */
    public FakePrompts with(Prompt prompt) {
        prompts.put(prompt.key(), prompt);
        notifyListeners(prompt.key());
        return this;
    }

    /** Removes a prompt, like a deletion on the server. */
    public void remove(String key) {
        if (prompts.remove(key) != null) {
            notifyListeners(key);
        }
    }

    /** Simulates an empty cache and a server that can't be reached, or ends that. */
    public void setUnreachable(boolean unreachable) {
        isUnreachable = unreachable;
    }

    /** The subject has no effect here. */
    @Override
    public Prompt getPrompt(String key, PromptOptions options) {
        Required.argument(key, "a prompt's key");
        Required.argument(options, "the options");
        Prompt prompt = isUnreachable ? null : prompts.get(key);
        if (prompt != null) {
            return prompt;
        }
        if (options.fallback() != null) {
            return FullPrompt.defaultPrompt(key, options.fallback());
        }
        if (isUnreachable) {
            throw new ServerUnreachableException("the fake simulates an unreachable server", null);
        }
        throw new NotFoundException(404, "no prompt '" + key + "' in the fake");
    }

    @Override
    public List<String> preload() {
        if (isUnreachable) {
            throw new ServerUnreachableException("the fake simulates an unreachable server", null);
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

    private void notifyListeners(String key) {
        listeners.forEach(listener -> listener.accept(key));
    }
}
