package io.promptops;

import java.util.ArrayList;
import java.util.List;

/** Has all prompts of the environment held, by one request. */
final class Preload {
    // Not a key that a prompt can have.
    private static final String ALL = "";

    private final Fetcher fetcher;
    private final Closing closing;
    private final PromptStore store;
    private final Coalesced<List<String>> loads = new Coalesced<>((all, asker, deadline) -> load(asker, deadline));

    Preload(Fetcher fetcher, Closing closing, PromptStore store) {
        this.fetcher = fetcher;
        this.closing = closing;
        this.store = store;
    }

    /** The keys that the snapshot has and that are held now; threads that ask at the same time share a request. */
    List<String> run(long deadline) {
        return loads.join(ALL, Asker.CALLER, deadline);
    }

    /** Any prompt may be held soon. */
    boolean isRunning() {
        return loads.isRunning(ALL);
    }

    private List<String> load(Asker asker, long deadline) {
        Tries tries = new Tries(asker, closing, deadline);
        while (true) {
            try {
                return attempt(deadline);
            } catch (ClientClosedException | NotFoundException isFinal) {
                throw isFinal;
            } catch (UnauthorizedException | ForbiddenException refused) {
                store.snapshotFailed(refused);
                throw refused;
            } catch (PromptOpsException error) {
                if (!tries.pauseBeforeAnother()) {
                    store.snapshotFailed(error);
                    throw error;
                }
            }
        }
    }

    private List<String> attempt(long deadline) {
        Position heard = store.heard();
        Fetcher.OfSnapshot fetched = fetcher.fetchSnapshot(heard, deadline);
        Position heardNow = store.heard();
        boolean isOfOther = heardNow != null
                && heardNow.isOfServer()
                && (fetched.position() == null || !fetched.position().epoch().equals(heardNow.epoch()));
        if (isOfOther) {
            throw new ServerException(503, "the snapshot is not of the epoch that the watch is told of");
        }
        store.snapshotCame();
        List<String> keys = new ArrayList<>();
        for (Whole whole : fetched.snapshot().prompts()) {
            if (store.hold(whole, fetched.position(), heard)) {
                keys.add(whole.key());
            }
        }
        return List.copyOf(keys);
    }
}
