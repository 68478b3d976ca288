package io.promptops;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Renders messages of chat prompts: variables in texts and URLs, and placeholders for lists of messages.
 * sdk/conformance/README.md of the project has the full specification.
 */
final class Chat {
    static final String PLACEHOLDER = "placeholder";

    /** The members with texts, of a part or of the object in it that is named like its type. */
    private static final List<String> TEXTS = List.of("text", "url", "file_data");

    private Chat() {}

    /** Renders the messages. */
    static List<Message> render(List<Message> messages, Map<String, ?> variables, boolean strict) {
        Required.argument(variables, "the variables");
        if (strict) {
            requireAll(messages, variables);
        }
        List<Message> rendered = new ArrayList<>();
        for (Message message : messages) {
            if (!message.isPlaceholder()) {
                rendered.add(of(rendered(message.json(), text -> Template.render(text, variables, false))));
            } else if (variables.get(nameOf(message)) != null) {
                rendered.addAll(filling(nameOf(message), variables.get(nameOf(message))));
            }
        }
        return List.copyOf(rendered);
    }

    /** Parses a message of a server; throws ProtocolException if it is invalid. */
    static Message read(Map<?, ?> object) {
        if (PLACEHOLDER.equals(object.get("type"))) {
            Members.text(object, "name");
        } else {
            Members.text(object, "role");
            if (contentProblem(object) != null) {
                throw Members.wrong("content");
            }
        }
        return of(Body.unmodifiable(object));
    }

    /** Joins all texts of the messages, as the server does for a prompt's content. */
    static String joinedTexts(List<Message> messages) {
        return String.join(
                "\n\n", messages.stream().flatMap(message -> texts(message.json()).stream()).toList());
    }

    private static Message of(Map<String, Object> json) {
        String role = json.get("role") instanceof String text ? text : "";
        return new Message(role, String.join("\n\n", texts(json)), json);
    }

    private static String nameOf(Message placeholder) {
        return (String) placeholder.json().get("name");
    }

    private static void requireAll(List<Message> messages, Map<String, ?> variables) {
        Set<String> missing = new LinkedHashSet<>();
        for (Message message : messages) {
            names(message).stream().filter(name -> variables.get(name) == null).forEach(missing::add);
        }
        if (!missing.isEmpty()) {
            throw new MissingVariableException(List.copyOf(missing));
        }
    }

    private static List<String> names(Message message) {
        if (message.isPlaceholder()) {
            return List.of(nameOf(message));
        }
        List<String> names = new ArrayList<>();
        // A rendering visits all templates.
        rendered(message.json(), text -> {
            names.addAll(Template.variablesIn(text));
            return text;
        });
        return names;
    }

    private static Map<String, Object> rendered(Map<String, Object> json, UnaryOperator<String> render) {
        Map<String, Object> rendered = new LinkedHashMap<>(json);
        if (json.get("content") instanceof String text) {
            rendered.put("content", render.apply(text));
        } else if (json.get("content") instanceof List<?> parts) {
            rendered.put(
                    "content",
                    parts.stream().map(part -> renderedPart((Map<?, ?>) part, render)).toList());
        }
        return Body.unmodifiable(rendered);
    }

    private static Map<?, ?> renderedPart(Map<?, ?> part, UnaryOperator<String> render) {
        Map<Object, Object> rendered = new LinkedHashMap<>(part);
        if (part.get(part.get("type")) instanceof Map<?, ?> inner) {
            Map<Object, Object> copy = new LinkedHashMap<>(inner);
            renderTexts(copy, render);
            rendered.put(part.get("type"), copy);
        } else {
            renderTexts(rendered, render);
        }
        return rendered;
    }

    private static void renderTexts(Map<Object, Object> holder, UnaryOperator<String> render) {
        for (String name : TEXTS) {
            if (holder.get(name) instanceof String text) {
                holder.put(name, render.apply(text));
            }
        }
    }

    private static List<String> texts(Map<String, Object> json) {
        if (json.get("content") instanceof String text) {
            return List.of(text);
        }
        List<String> texts = new ArrayList<>();
        if (json.get("content") instanceof List<?> parts) {
            for (Object part : parts) {
                if (part instanceof Map<?, ?> map && "text".equals(map.get("type")) && map.get("text") instanceof String text) {
                    texts.add(text);
                }
            }
        }
        return texts;
    }

    private static List<Message> filling(String name, Object value) {
        if (!(value instanceof List<?> list)) {
            throw new PlaceholderException(name, "it is " + kind(value) + "; give it a list of messages", -1);
        }
        List<Message> messages = new ArrayList<>();
        for (Object item : list) {
            Object json = item instanceof Message message ? message.json() : item;
            String problem = itemProblem(json);
            if (problem != null) {
                int index = messages.size();
                throw new PlaceholderException(name, "message " + index + " " + problem, index);
            }
            messages.add(of(Body.unmodifiable((Map<?, ?>) json)));
        }
        return messages;
    }

    private static String itemProblem(Object item) {
        if (!(item instanceof Map<?, ?> map)) {
            return "is " + kind(item) + "; give it a Message, or a map with role and content";
        }
        if (!map.keySet().stream().allMatch(String.class::isInstance)) {
            return "has a member whose name is not a text";
        }
        boolean hasRole = map.get("role") instanceof String role && !role.isEmpty();
        return hasRole ? contentProblem(map) : "has no role; give it one such as 'user'";
    }

    private static String contentProblem(Map<?, ?> message) {
        Object content = message.get("content");
        if (content instanceof List<?> parts) {
            boolean haveTypes = parts.stream()
                    .allMatch(part -> part instanceof Map<?, ?> map && map.get("type") instanceof String);
            return haveTypes ? null : "has a content part that is not a map with a type";
        }
        boolean needsNone = content == null && message.get("tool_calls") instanceof List<?> calls && !calls.isEmpty();
        return content instanceof String || needsNone ? null : "has no content; give it a text or a list of parts";
    }

    private static String kind(Object value) {
        return value == null ? "null" : "of type " + value.getClass().getSimpleName();
    }
}
