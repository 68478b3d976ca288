package io.promptops;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/**
 * Calls the program's listeners one after the other and in order, in a separate thread, so that a slow
 * listener delays only other listeners. The queue is bounded: a newer notification of the same kind and key
 * replaces a pending one.
 */
final class Listeners {
    private static final System.Logger LOGGER = System.getLogger("io.promptops");

    private final Workers workers;
    private final Closing closing;
    private final List<Consumer<Update>> onUpdate = new CopyOnWriteArrayList<>();
    private final List<Runnable> onConnect = new CopyOnWriteArrayList<>();
    private final List<Runnable> onDisconnect = new CopyOnWriteArrayList<>();
    private final List<Consumer<PromptOpsException>> onError = new CopyOnWriteArrayList<>();
    private final Map<String, Runnable> waiting = new LinkedHashMap<>();
    private boolean isRunning;

    Listeners(Workers workers, Closing closing) {
        this.workers = workers;
        this.closing = closing;
    }

    void onUpdate(Consumer<Update> listener) {
        onUpdate.add(listener);
    }

    void onConnect(Runnable listener) {
        onConnect.add(listener);
    }

    void onDisconnect(Runnable listener) {
        onDisconnect.add(listener);
    }

    void onError(Consumer<PromptOpsException> listener) {
        onError.add(listener);
    }

    boolean hasUpdateListeners() {
        return !onUpdate.isEmpty();
    }

    void notifyUpdate(Update update) {
        enqueue("update " + update.key(), () -> onUpdate.forEach(listener -> call(() -> listener.accept(update))));
    }

    void notifyConnect() {
        enqueue("connect", () -> onConnect.forEach(Listeners::call));
    }

    void notifyDisconnect() {
        enqueue("disconnect", () -> onDisconnect.forEach(Listeners::call));
    }

    void notifyError(PromptOpsException error) {
        enqueue("error", () -> onError.forEach(listener -> call(() -> listener.accept(error))));
    }

    private void enqueue(String what, Runnable notification) {
        synchronized (waiting) {
            waiting.remove(what);
            waiting.put(what, notification);
            if (isRunning) {
                return;
            }
            isRunning = true;
        }
        workers.run(this::runQueued);
    }

    private void runQueued() {
        Runnable next;
        while ((next = next()) != null) {
            next.run();
        }
    }

    private Runnable next() {
        synchronized (waiting) {
            var first = waiting.entrySet().iterator();
            if (!first.hasNext() || closing.isClosed()) {
                isRunning = false;
                return null;
            }
            Runnable next = first.next().getValue();
            first.remove();
            return next;
        }
    }

    private static void call(Runnable listener) {
        try {
            listener.run();
        } catch (Throwable error) {
            // An error of the program must not end its hot reload.
            LOGGER.log(System.Logger.Level.ERROR, "a listener failed", error);
        }
    }
}
