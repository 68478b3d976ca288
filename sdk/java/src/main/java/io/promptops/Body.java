package io.promptops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The content of a prompt, or of one variant. */
record Body(
        String version,
        String model,
        String content,
        String kind,
        List<Message> messages,
        Map<String, Object> config,
        List<String> variables) {

    static Body read(Map<?, ?> object) {
        String content = Members.text(object, "content");
        return new Body(
                Members.text(object, "version", ""),
                Members.text(object, "model", ""),
                content,
                Members.text(object, "kind", "text"),
                messages(object),
                config(object),
                object.get("variables") == null ? Template.variablesIn(content) : variables(object));
    }

    static Body ofText(String content) {
        return new Body("", "", content, "text", List.of(), Map.of(), Template.variablesIn(content));
    }

    private static List<Message> messages(Map<?, ?> object) {
        List<Message> messages = new ArrayList<>();
        for (Object member : Members.list(object, "messages")) {
            messages.add(Chat.read(Members.object(member, "messages")));
        }
        return List.copyOf(messages);
    }

    private static Map<String, Object> config(Map<?, ?> object) {
        Object config = object.get("config");
        return config == null ? Map.of() : unmodifiable(Members.object(config, "config"));
    }

    private static List<String> variables(Map<?, ?> object) {
        List<String> variables = new ArrayList<>();
        for (Object member : Members.list(object, "variables")) {
            if (!(member instanceof String name)) {
                throw Members.wrong("variables");
            }
            variables.add(name);
        }
        return List.copyOf(variables);
    }

    /** Copies JSON into unmodifiable collections. */
    static Map<String, Object> unmodifiable(Map<?, ?> object) {
        Map<String, Object> copy = new LinkedHashMap<>();
        object.forEach((name, member) -> copy.put(String.valueOf(name), unmodifiable(member)));
        return Collections.unmodifiableMap(copy);
    }

    private static Object unmodifiable(Object value) {
        if (value instanceof Map<?, ?> object) {
            return unmodifiable(object);
        }
        if (value instanceof List<?> list) {
            List<Object> copy = new ArrayList<>();
            list.forEach(item -> copy.add(unmodifiable(item)));
            return Collections.unmodifiableList(copy);
        }
        return value;
    }
}
