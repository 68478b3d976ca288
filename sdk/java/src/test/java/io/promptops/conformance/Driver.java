package io.promptops.conformance;

import io.promptops.ClientClosedException;
import io.promptops.ForbiddenException;
import io.promptops.Message;
import io.promptops.MissingVariableException;
import io.promptops.NotFoundException;
import io.promptops.Prompt;
import io.promptops.PromptOpsClient;
import io.promptops.PromptOpsException;
import io.promptops.PromptOptions;
import io.promptops.ProtocolException;
import io.promptops.RequestTimeoutException;
import io.promptops.ResponseException;
import io.promptops.ServerUnreachableException;
import io.promptops.TemplateValueException;
import io.promptops.UnauthorizedException;
import io.promptops.Update;
import io.promptops.internal.Bucketing;
import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import io.promptops.internal.json.JsonWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Runs the commands of the conformance runner: reads a JSON command a line, writes a JSON reply a line. */
public final class Driver {
    private final BlockingQueue<Map<String, Object>> events = new LinkedBlockingQueue<>();
    private PromptOpsClient client;

    private Driver() {}

    /** Runs until standard input ends. */
    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Driver driver = new Driver();
        String line;
        while ((line = in.readLine()) != null) {
            out.println(JsonWriter.write(driver.reply(line)));
        }
        driver.close();
    }

    private Map<String, Object> reply(String line) {
        try {
            Map<?, ?> command = JsonReader.readObject(line);
            if (command.get("callers") instanceof Long callers) {
                return Map.of("ok", replies(command, callers.intValue()));
            }
            return reply(command);
        } catch (JsonException error) {
            return failed(error);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    private Map<String, Object> reply(Map<?, ?> command) throws InterruptedException {
        try {
            return Map.of("ok", done(command));
        } catch (PromptOpsException | IllegalArgumentException error) {
            return failed(error);
        }
    }

    private static Map<String, Object> failed(Exception error) {
        return Map.of("error", kind(error), "message", String.valueOf(error.getMessage()));
    }

    /** Runs a command with concurrent callers. */
    private List<Object> replies(Map<?, ?> command, int callers) throws InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(callers);
        try {
            List<Object> replies = new ArrayList<>();
            Callable<Map<String, Object>> caller = () -> reply(command);
            for (Future<?> future : threads.invokeAll(Collections.nCopies(callers, caller))) {
                replies.add(future.get());
            }
            return replies;
        } catch (ExecutionException error) {
            throw new IllegalStateException(error);
        } finally {
            threads.shutdownNow();
        }
    }

    private Object done(Map<?, ?> command) throws InterruptedException {
        switch ((String) command.get("op")) {
            case "new":
                return open(command);
            case "get":
                return described(client.getPrompt(key(command), options(command)));
            case "render":
                return client.render(key(command), variables(command), options(command));
            case "render_messages":
                return client.renderMessages(key(command), variables(command), options(command)).stream()
                        .map(Message::json)
                        .toList();
            case "preload":
                return client.preload().stream().sorted().toList();
            case "watch":
                client.watch();
                return true;
            case "close":
                return close();
            case "take_events":
                return taken(number(command, "count"), number(command, "seconds"));
            case "template":
                return PromptOpsClient.renderTemplate((String) command.get("template"), variables(command));
            case "bucket":
                return Bucketing.bucket((String) command.get("salt"), (String) command.get("subject"));
            default:
                throw new IllegalArgumentException("no such command: " + command.get("op"));
        }
    }

    private Object open(Map<?, ?> command) {
        close();
        events.clear();
        PromptOpsClient.Builder builder = PromptOpsClient.builder((String) command.get("server"))
                .onUpdate(this::updated)
                .onConnect(() -> happened("connect"))
                .onDisconnect(() -> happened("disconnect"))
                .onError(error -> happened("error", "status", ((ResponseException) error).status()));
        if (command.get("namespace") instanceof String namespace) {
            builder.namespace(namespace);
        }
        if (command.get("token") instanceof String token) {
            builder.token(token);
        }
        if (command.get("app") instanceof String app) {
            builder.appName(app);
        }
        if (command.get("options") instanceof Map<?, ?> options) {
            configure(builder, options);
        }
        client = builder.build();
        return true;
    }

    private static void configure(PromptOpsClient.Builder builder, Map<?, ?> options) {
        if (options.get("timeout") instanceof Number) {
            builder.timeout(seconds(number(options, "timeout")));
        }
        if (options.get("max_age") instanceof Number) {
            builder.maxAge(seconds(number(options, "max_age")));
        }
        if (options.get("disk") instanceof String disk) {
            builder.cacheDir(Path.of(disk));
        }
        if (options.get("bundle") instanceof String bundle) {
            builder.bundle(Path.of(bundle));
        }
        if (options.get("workspace") instanceof String workspace) {
            builder.workspace(workspace);
        }
    }

    private Object close() {
        if (client != null) {
            client.close();
        }
        return true;
    }

    private void updated(Update update) {
        update.prompt()
                .ifPresentOrElse(
                        prompt -> happened("update", "key", update.key(), "version", prompt.version()),
                        () -> happened("delete", "key", update.key()));
    }

    private void happened(String event, Object... members) {
        Map<String, Object> happened = new LinkedHashMap<>();
        happened.put("event", event);
        for (int i = 0; i < members.length; i += 2) {
            happened.put((String) members[i], members[i + 1]);
        }
        events.add(happened);
    }

    private List<Object> taken(double count, double seconds) throws InterruptedException {
        List<Object> taken = new ArrayList<>();
        long deadline = System.nanoTime() + seconds(seconds).toNanos();
        Map<String, Object> next;
        while (taken.size() < count
                && (next = events.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) != null) {
            taken.add(next);
        }
        return taken;
    }

    private static Map<String, Object> described(Prompt prompt) {
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("key", prompt.key());
        described.put("version", prompt.version());
        described.put("model", prompt.model());
        described.put("content", prompt.content());
        described.put("variant", prompt.variant());
        described.put("kind", prompt.kind());
        described.put("messages", prompt.messages().stream().map(Message::json).toList());
        described.put("config", prompt.config());
        described.put("variables", prompt.variables());
        described.put("source", prompt.source().name().toLowerCase(Locale.ROOT));
        described.put("revision", prompt.revision());
        return described;
    }

    private static String key(Map<?, ?> command) {
        return (String) command.get("key");
    }

    private static PromptOptions options(Map<?, ?> command) {
        PromptOptions options =
                PromptOptions.NONE.subject(subject(command)).orElse((String) command.get("default"));
        options = Boolean.TRUE.equals(command.get("refresh")) ? options.refresh() : options;
        return Boolean.TRUE.equals(command.get("strict")) ? options.strict() : options;
    }

    /** In Java, a value that is not a text is a compile error. */
    private static String subject(Map<?, ?> command) {
        Object subject = command.get("subject");
        if (subject == null || subject instanceof String) {
            return (String) subject;
        }
        throw new IllegalArgumentException("a subject is a text, not " + subject);
    }

    private static Map<String, Object> variables(Map<?, ?> command) {
        Map<String, Object> variables = new LinkedHashMap<>();
        if (command.get("variables") instanceof Map<?, ?> values) {
            values.forEach((name, value) -> variables.put((String) name, value));
        }
        return variables;
    }

    private static double number(Map<?, ?> object, String name) {
        return ((Number) object.get(name)).doubleValue();
    }

    private static Duration seconds(double seconds) {
        return Duration.ofNanos((long) (seconds * 1e9));
    }

    private static String kind(Exception error) {
        Map<Class<?>, String> kinds = Map.of(
                NotFoundException.class, "not_found",
                UnauthorizedException.class, "unauthorized",
                ForbiddenException.class, "forbidden",
                RequestTimeoutException.class, "timeout",
                ServerUnreachableException.class, "unreachable",
                ProtocolException.class, "protocol",
                MissingVariableException.class, "missing_variable",
                ClientClosedException.class, "closed",
                TemplateValueException.class, "invalid");
        return kinds.getOrDefault(error.getClass(), error instanceof ResponseException ? "server" : "invalid");
    }
}
