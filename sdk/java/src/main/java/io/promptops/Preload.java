package io.promptops;

import java.util.ArrayList;
import java.util.List;

/** Caches all prompts of the environment with one request. */
final class Preload {
    // No prompt can have this key.
    private static final String ALL = "";

    private final FetchPolicy policy;
    private final Closing closing;
    private final PromptStore store;
    private final Coalesced<List<String>> loads = new Coalesced<>((all, reason, deadline) -> load(reason, deadline));

    Preload(FetchPolicy policy, Closing closing, PromptStore store) {
        this.policy = policy;
        this.closing = closing;
        this.store = store;
    }

    /** Returns the keys that are in the snapshot and cached now; concurrent callers share a request. */
    List<String> run(long deadline) {
        return loads.join(ALL, FetchReason.CALLER, deadline);
    }

    /** Whether a preload runs, so that any prompt may be cached soon. */
    boolean isRunning() {
        return loads.isRunning(ALL);
    }

    private List<String> load(FetchReason reason, long deadline) {
        FetchAttempts attempts = new FetchAttempts(reason, closing, deadline);
        while (true) {
            try {
                return attempt(deadline);
            } catch (ClientClosedException | NotFoundException isFinal) {
                throw isFinal;
            } catch (UnauthorizedException | ForbiddenException error) {
                store.recordSnapshotFailure(error);
                throw error;
            } catch (PromptOpsException error) {
                if (!attempts.pauseBeforeAnother()) {
                    store.recordSnapshotFailure(error);
                    throw error;
                }
            }
        }
    }

    private List<String> attempt(long deadline) {
        FeedPosition positionAtStart = store.feedPosition();
        FetchPolicy.SnapshotResult fetched = policy.fetchSnapshot(positionAtStart, deadline);
        FeedPosition positionNow = store.feedPosition();
        boolean isOfOtherEpoch = positionNow != null
                && positionNow.isOfServer()
                && (fetched.position() == null || !fetched.position().epoch().equals(positionNow.epoch()));
        if (isOfOtherEpoch) {
            throw new ServerException(503, "the snapshot has another epoch than the watch");
        }
        store.recordSnapshot();
        List<String> keys = new ArrayList<>();
        for (FullPrompt fullPrompt : fetched.snapshot().prompts()) {
            if (store.storeFromSnapshot(fullPrompt, fetched.position(), positionAtStart)) {
                keys.add(fullPrompt.key());
            }
        }
        return List.copyOf(keys);
    }
}
