package io.promptops;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/**
 * Calls the program's listeners, one after the other and in order, in a thread of their own, so that a
 * slow one holds up nothing but the others. What waits is bounded: something newer of the same kind and
 * key takes the place of what was not told yet.
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
    private boolean isTelling;

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

    boolean wantUpdates() {
        return !onUpdate.isEmpty();
    }

    void tellUpdate(Update update) {
        tell("update " + update.key(), () -> onUpdate.forEach(each -> call(() -> each.accept(update))));
    }

    void tellConnect() {
        tell("connect", () -> onConnect.forEach(Listeners::call));
    }

    void tellDisconnect() {
        tell("disconnect", () -> onDisconnect.forEach(Listeners::call));
    }

    void tellError(PromptOpsException error) {
        tell("error", () -> onError.forEach(each -> call(() -> each.accept(error))));
    }

    private void tell(String what, Runnable telling) {
        synchronized (waiting) {
            waiting.remove(what);
            waiting.put(what, telling);
            if (isTelling) {
                return;
            }
            isTelling = true;
        }
        workers.run(this::tellAll);
    }

    private void tellAll() {
        Runnable next;
        while ((next = next()) != null) {
            next.run();
        }
    }

    private Runnable next() {
        synchronized (waiting) {
            var first = waiting.entrySet().iterator();
            if (!first.hasNext() || closing.isClosed()) {
                isTelling = false;
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
            // The program's own fault, of whatever kind, which must not end its hot reload.
            LOGGER.log(System.Logger.Level.ERROR, "a listener failed", error);
        }
    }
}
