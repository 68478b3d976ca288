package io.promptops;

import io.promptops.internal.Bucketing;
import io.promptops.internal.net.Connector;
import io.promptops.internal.net.ProxyVariables;
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
 * Fetches prompts from a PromptOps server, caches them in memory and keeps them up to date. Share one client
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

    // The last two are not valid names in a path.
    static final Set<String> IMPOSSIBLE_KEYS = Set.of("", ".", "..");

    // The time that close waits for a thread that looks up a host name, or runs a listener.
    private static final long JOIN_MILLISECONDS = 5000;

    private final Closing closing = new Closing();
    private final Threads threads = new Threads();
    private final Listeners listeners = new Listeners(threads.notifying(), closing);
    private final Connector connector;
    private final PromptStore store;
    private final Watch watch;
    private boolean isWatching;

    /** Creates a client for the environment prod, with the server's development token. */
    public PromptOpsClient(String server) {
        this(builder(server));
    }

    /**
     * Creates a client for an environment (prod, dev, ...), with an API key, session token or the server's
     * static token.
     */
    public PromptOpsClient(String server, String namespace, String token) {
        this(builder(server).namespace(namespace).token(token));
    }

    /** Creates a client that also has a name in the server's list of live clients. */
    public PromptOpsClient(String server, String namespace, String token, String appName) {
        this(builder(server).namespace(namespace).token(token).appName(appName));
    }

    private PromptOpsClient(Builder options) {
        ServerAddress address = ServerAddress.parse(options.server);
        connector = new Connector(address, options.tls, new ProxyVariables(options.environment).proxyFor(address));
        Requests requests = new Requests(address, options.token, "promptops-java/" + VERSION);
        DiskCache disk = options.cacheDir == null
                ? null
                : new DiskCache(options.cacheDir, address.url(), options.workspace, options.namespace);
        store = new PromptStore(
                new FetchPolicy(connector, requests, options.namespace, options.workspace),
                disk,
                Bundle.load(options.bundle, options.namespace),
                closing,
                threads.fetching(),
                options.timeout,
                options.maxAge);
        SyncState syncState = new SyncState(store, threads, closing, listeners);
        store.setObserver(syncState);
        long timeout = options.timeout.toNanos();
        watch = new Watch(connector, requests, threads, closing, syncState, listeners, options.watchPath(), timeout);
        options.addListeners(listeners);
    }

    /** Returns a builder for a client with options; server is an address like http://127.0.0.1:8080. */
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
            return store.getPrompt(key, options);
        } catch (PromptOpsException error) {
            if (options.fallback() == null) {
                throw error;
            }
            return FullPrompt.defaultPrompt(key, options.fallback());
        }
    }

    @Override
    public List<String> preload() {
        return store.preload();
    }

    /**
     * Inserts the variables into a text, like render; a missing one leaves its placeholder. Null renders to
     * "".
     */
    public static String renderTemplate(String content, Map<String, ?> variables) {
        return Template.render(content, variables, false);
    }

    /**
     * Inserts the variables into a text, strictly or not.
     *
     * @throws MissingVariableException if it is strict and a variable is missing or null
     */
    public static String renderTemplate(String content, Map<String, ?> variables, boolean strict) {
        return Template.render(content, variables, strict);
    }

    /**
     * Keeps cached prompts up to date from now on. Returns after the first connection succeeded or failed, at
     * most after the time-out; a failed connection throws nothing, because the client tries again.
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
        watch.awaitFirstAttempt();
    }

    /**
     * Keeps cached prompts up to date, and calls the listener with the key of each changed or deleted prompt
     * after the new copy is cached, including prompts that were not cached before. Listeners are called one
     * after the other in a thread of the client, which logs their errors. Can be called again.
     */
    @Override
    public void watch(Consumer<String> onChange) {
        Required.argument(onChange, "the listener");
        listeners.onUpdate(update -> onChange.accept(update.key()));
        watch();
    }

    /**
     * Ends the watch and all requests, and frees all threads and connections; can be called again. Afterwards
     * cached prompts can still be read, but nothing can be fetched.
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

    /** The number of open connections. */
    int openConnections() {
        return connector.openConnections();
    }

    /** The options of a client; each method returns the builder itself. */
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
        private Map<String, String> environment = System.getenv();
        private Consumer<Update> onUpdate;
        private Runnable onConnect;
        private Runnable onDisconnect;
        private Consumer<PromptOpsException> onError;

        private Builder(String server) {
            this.server = server;
        }

        /** The environment to read from; default prod. */
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

        /** The name in the server's list of live clients. */
        public Builder appName(String name) {
            this.appName = Required.argument(name, "the app's name");
            return this;
        }

        /** The id or slug of the workspace to read from. */
        public Builder workspace(String idOrSlug) {
            this.workspace = Required.argument(idOrSlug, "the workspace");
            return this;
        }

        /** The limit of a whole fetch; default 10 seconds. */
        public Builder timeout(Duration duration) {
            Required.argument(duration, "the time-out");
            if (duration.isNegative() || duration.isZero()) {
                throw new IllegalArgumentException("the time-out must be longer than nothing, not " + duration);
            }
            this.timeout = duration;
            return this;
        }

        /** Without a connected watch, older copies are refreshed in the background; default 60 seconds. */
        public Builder maxAge(Duration duration) {
            this.maxAge = Required.argument(duration, "the largest age");
            return this;
        }

        /** A folder for the last known good copies, used if the server can't respond. */
        public Builder cacheDir(Path folder) {
            this.cacheDir = folder;
            return this;
        }

        /** A file with a response of /api/sdk/snapshot, used if there is no other copy. */
        public Builder bundle(Path file) {
            this.bundle = file;
            return this;
        }

        /** Replaces the system's trusted certificates for an https server. */
        public Builder sslContext(SSLContext context) {
            this.tls = context;
            return this;
        }

        /** Replaces the environment of the process. */
        Builder environment(Map<String, String> variables) {
            this.environment = variables;
            return this;
        }

        /** Called for each change, like the listener of watch, with the new copy. */
        public Builder onUpdate(Consumer<Update> listener) {
            this.onUpdate = listener;
            return this;
        }

        /** Called each time the watch connects. */
        public Builder onConnect(Runnable listener) {
            this.onConnect = listener;
            return this;
        }

        /** Called each time the watch loses its connection. */
        public Builder onDisconnect(Runnable listener) {
            this.onDisconnect = listener;
            return this;
        }

        /** Called when the server refuses the token, with an Unauthorized- or ForbiddenException. */
        public Builder onError(Consumer<PromptOpsException> listener) {
            this.onError = listener;
            return this;
        }

        /**
         * Creates the client, without a request to the server.
         *
         * @throws IllegalArgumentException for an invalid address, of the server or of the proxy in
         *     HTTPS_PROXY or HTTP_PROXY
         */
        public PromptOpsClient build() {
            return new PromptOpsClient(this);
        }

        private String watchPath() {
            return "/ws?client=java&version=" + VERSION
                    + "&app=" + FetchPolicy.urlEncoded(appName)
                    + "&namespace=" + FetchPolicy.urlEncoded(namespace)
                    + (workspace.isEmpty() ? "" : "&workspace=" + FetchPolicy.urlEncoded(workspace));
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
