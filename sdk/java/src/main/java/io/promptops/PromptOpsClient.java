package io.promptops;

import io.promptops.internal.Bucketing;
import io.promptops.internal.net.Connector;
import io.promptops.internal.net.Requests;
import io.promptops.internal.net.ServerAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;

/**
 * Fetches prompts from a PromptOps server, holds them in memory and keeps them up to date. Share one
 * between all threads, and close it at the end.
 *
 * <pre>{@code
 * try (var client = new PromptOpsClient("http://127.0.0.1:8080", "prod", token, "shop")) {
 *     client.watch(key -> System.out.println("changed: " + key));
 *     System.out.println(client.render("greeting", Map.of("who", "Ada")));
 * }
 * }</pre>
 */
public final class PromptOpsClient implements Prompts {
    static final String VERSION = "0.1.0";

    // The last two are no names in a path.
    static final Set<String> IMPOSSIBLE_KEYS = Set.of("", ".", "..");

    // On close, for a thread that is looking up a host's name, or in a listener.
    private static final long JOIN_MILLISECONDS = 5000;

    private final Closing closing = new Closing();
    private final Threads threads = new Threads();
    private final Listeners listeners = new Listeners(threads.telling(), closing);
    private final Connector connector;
    private final PromptStore store;
    private final Watch watch;
    private boolean isWatching;

    /** For the environment prod, with the server's development token. */
    public PromptOpsClient(String server) {
        this(builder(server));
    }

    /** For an environment (prod, dev, ...), with an API key, session token or the server's static token. */
    public PromptOpsClient(String server, String namespace, String token) {
        this(builder(server).namespace(namespace).token(token));
    }

    /** Likewise, with the name that the server's list of live clients shows. */
    public PromptOpsClient(String server, String namespace, String token, String appName) {
        this(builder(server).namespace(namespace).token(token).appName(appName));
    }

    private PromptOpsClient(Builder options) {
        ServerAddress address = ServerAddress.parse(options.server);
        connector = new Connector(address, options.tls);
        Requests requests = new Requests(address, options.token, "promptops-java/" + VERSION);
        DiskCache disk = options.cacheDir == null
                ? null
                : new DiskCache(options.cacheDir, address.url(), options.workspace, options.namespace);
        store = new PromptStore(
                new Fetcher(connector, requests, options.namespace, options.workspace),
                disk,
                Bundle.load(options.bundle, options.namespace),
                closing,
                threads.fetching(),
                options.timeout,
                options.maxAge);
        Following following = new Following(store, threads, closing, listeners);
        store.setObserver(following);
        long timeout = options.timeout.toNanos();
        watch = new Watch(connector, requests, threads, closing, following, listeners, options.watchPath(), timeout);
        options.addListeners(listeners);
    }

    /** A client with options; server is an address like http://127.0.0.1:8080. */
    public static Builder builder(String server) {
        return new Builder(Required.argument(server, "the server's address"));
    }

    @Override
    public Prompt getPrompt(String key, PromptOptions options) {
        Required.argument(key, "a prompt's key");
        Required.argument(options, "the options");
        if (IMPOSSIBLE_KEYS.contains(key)) {
            throw new IllegalArgumentException("a prompt's key can't be '" + key + "'");
        }
        Bucketing.utf8(key);
        try {
            return store.get(key, options);
        } catch (PromptOpsException error) {
            if (options.fallback() == null) {
                throw error;
            }
            return Whole.defaultAnswer(key, options.fallback());
        }
    }

    @Override
    public List<String> preload() {
        return store.preload();
    }

    /** Puts the variables into a text, as render does; one that is missing stays as it was. A text that is null is "". */
    public static String renderTemplate(String content, Map<String, ?> variables) {
        return Template.render(content, variables, false);
    }

    /**
     * Likewise; strict or not.
     *
     * @throws MissingVariableException where it is strict and one is missing or null
     */
    public static String renderTemplate(String content, Map<String, ?> variables, boolean strict) {
        return Template.render(content, variables, strict);
    }

    /**
     * Keeps what is held up to date from now on. Returns once the first connection stands or has
     * failed, within the time-out; a failure isn't thrown, the client tries again.
     *
     * @throws ClientClosedException after close
     */
    @Override
    public void watch() {
        synchronized (this) {
            if (closing.isClosed()) {
                throw new ClientClosedException();
            }
            if (!isWatching) {
                isWatching = true;
                watch.start();
            }
        }
        watch.awaitTried();
    }

    /**
     * Likewise, and calls the listener with the key of each prompt that changed or was deleted, once
     * the new copy is held; also of prompts that were not held before. Listeners are called one after
     * the other in a thread of the client; what they throw is logged. May be called again.
     */
    @Override
    public void watch(Consumer<String> onChange) {
        Required.argument(onChange, "the listener");
        listeners.onUpdate(update -> onChange.accept(update.key()));
        watch();
    }

    /**
     * Ends the watch and all requests, and frees all threads and connections; again is allowed. What
     * is held can still be read afterwards, nothing can be fetched.
     */
    @Override
    public void close() {
        // An interrupted thread could not wait for the others to end.
        boolean isInterrupted = Thread.interrupted();
        try {
            end();
        } finally {
            if (isInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void end() {
        synchronized (this) {
            closing.close();
            if (isWatching) {
                watch.leave();
            }
        }
        connector.close();
        threads.close(JOIN_MILLISECONDS);
    }

    /** How many connections are open. */
    int openConnections() {
        return connector.openConnections();
    }

    /** The options of a client; each method answers the builder itself. */
    public static final class Builder {
        private final String server;
        private String namespace = "prod";
        private String token = "promptops-dev-token";
        private String appName = "";
        private String workspace = "";
        private Duration timeout = Duration.ofSeconds(10);
        private Duration maxAge = Duration.ofSeconds(60);
        private Path cacheDir;
        private Path bundle;
        private SSLContext tls;
        private Consumer<Update> onUpdate;
        private Runnable onConnect;
        private Runnable onDisconnect;
        private Consumer<PromptOpsException> onError;

        private Builder(String server) {
            this.server = server;
        }

        /** The environment to read from; prod unless set. */
        public Builder namespace(String environment) {
            this.namespace = Required.argument(environment, "the namespace");
            return this;
        }

        /** An API key, session token or the server's static token. */
        public Builder token(String secret) {
            Required.argument(secret, "the token");
            if (secret.isEmpty() || !secret.chars().allMatch(character -> character > ' ' && character <= '~')) {
                throw new IllegalArgumentException("the token must be printable ASCII without blanks, and not empty");
            }
            this.token = secret;
            return this;
        }

        /** What the server's list of live clients shows. */
        public Builder appName(String name) {
            this.appName = Required.argument(name, "the app's name");
            return this;
        }

        /** The id or slug of the workspace to read from. */
        public Builder workspace(String idOrSlug) {
            this.workspace = Required.argument(idOrSlug, "the workspace");
            return this;
        }

        /** For a fetch as a whole; 10 seconds unless set. */
        public Builder timeout(Duration duration) {
            Required.argument(duration, "the time-out");
            if (duration.isNegative() || duration.isZero()) {
                throw new IllegalArgumentException("the time-out must be longer than nothing, not " + duration);
            }
            this.timeout = duration;
            return this;
        }

        /** While no connection tells of changes, older copies are refreshed in the background; 60 seconds unless set. */
        public Builder maxAge(Duration duration) {
            this.maxAge = Required.argument(duration, "the largest age");
            return this;
        }

        /** A folder for the last known good copies, for when the server can't answer. */
        public Builder cacheDir(Path folder) {
            this.cacheDir = folder;
            return this;
        }

        /** A file with an answer of /api/sdk/snapshot, for when there is no other copy. */
        public Builder bundle(Path file) {
            this.bundle = file;
            return this;
        }

        /** Instead of the system's trusted certificates, for an https server. */
        public Builder sslContext(SSLContext context) {
            this.tls = context;
            return this;
        }

        /** Called for each change, as the listener of watch, with the new copy. */
        public Builder onUpdate(Consumer<Update> listener) {
            this.onUpdate = listener;
            return this;
        }

        /** Called when the watch's connection stands, each time. */
        public Builder onConnect(Runnable listener) {
            this.onConnect = listener;
            return this;
        }

        /** Called when the watch's connection is lost, each time. */
        public Builder onDisconnect(Runnable listener) {
            this.onDisconnect = listener;
            return this;
        }

        /** Called when the server refuses the token: an Unauthorized- or ForbiddenException. */
        public Builder onError(Consumer<PromptOpsException> listener) {
            this.onError = listener;
            return this;
        }

        /**
         * The client; nothing is asked of the server yet.
         *
         * @throws IllegalArgumentException for an address that can't be right
         */
        public PromptOpsClient build() {
            return new PromptOpsClient(this);
        }

        private String watchPath() {
            return "/ws?client=java&version=" + VERSION
                    + "&app=" + Fetcher.encoded(appName)
                    + "&namespace=" + Fetcher.encoded(namespace)
                    + (workspace.isEmpty() ? "" : "&workspace=" + Fetcher.encoded(workspace));
        }

        private void addListeners(Listeners listeners) {
            if (onUpdate != null) {
                listeners.onUpdate(onUpdate);
            }
            if (onConnect != null) {
                listeners.onConnect(onConnect);
            }
            if (onDisconnect != null) {
                listeners.onDisconnect(onDisconnect);
            }
            if (onError != null) {
                listeners.onError(onError);
            }
        }
    }
}
