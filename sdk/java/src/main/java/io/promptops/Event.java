package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.util.Map;
import java.util.Set;

/** A message of the server. */
sealed interface Event {
    /** The first message of a connection. */
    record Hello(String epoch, long revision, double heartbeatSeconds) implements Event {}

    /** A prompt of the watched environment changed. */
    record Changed(String type, String key, long revision) implements Event {}

    /** A change from an older server, which sends no revisions; of any type. */
    record Unnumbered(String type, String key) implements Event {}

    /** The server has sent everything up to this revision. */
    record Heartbeat(long revision) implements Event {}

    /** Missed changes can't be resent: refetch all cached prompts. */
    record Resync(String epoch, long revision) implements Event {}

    /** A message that does not concern this client. */
    record Unknown() implements Event {}

    Set<String> CHANGES = Set.of("prompt.updated", "prompt.published", Update.DELETED);
    double LONGEST_HEARTBEAT = 3600;

    /** Parses a message; an invalid text is an unknown message. */
    static Event read(String text) {
        try {
            return read(JsonReader.readObject(text));
        } catch (JsonException | ProtocolException error) {
            return new Unknown();
        }
    }

    /** Parses a message of a server that has not sent a hello. */
    static Event readWithoutHello(String text) {
        try {
            Map<?, ?> message = JsonReader.readObject(text);
            String type = Members.text(message, "type");
            return type.equals("hello") ? read(message) : new Unnumbered(type, Members.text(message, "key"));
        } catch (JsonException | ProtocolException error) {
            return new Unknown();
        }
    }

    private static Event read(Map<?, ?> message) {
        String type = Members.text(message, "type");
        if (CHANGES.contains(type)) {
            return new Changed(type, Members.text(message, "key"), Members.number(message, "revision"));
        }
        return switch (type) {
            case "hello" -> new Hello(
                    Members.text(message, "epoch"), Members.number(message, "revision"), heartbeatSeconds(message));
            case "heartbeat" -> new Heartbeat(Members.number(message, "revision"));
            case "resync" -> new Resync(Members.text(message, "epoch"), Members.number(message, "revision"));
            default -> new Unknown();
        };
    }

    private static double heartbeatSeconds(Map<?, ?> message) {
        if (message.get("heartbeat_seconds") instanceof Number number) {
            double seconds = number.doubleValue();
            if (seconds > 0 && seconds <= LONGEST_HEARTBEAT) {
                return seconds;
            }
        }
        throw Members.wrong("heartbeat_seconds");
    }
}
