package io.promptops;

import java.util.List;
import java.util.Map;

/** Takes members of JSON objects that the server sent, each of the type that it must have. */
final class Members {
    private Members() {}

    static String text(Map<?, ?> object, String name) {
        if (object.get(name) instanceof String text) {
            return text;
        }
        throw wrong(name);
    }

    static String text(Map<?, ?> object, String name, String otherwise) {
        return object.get(name) == null ? otherwise : text(object, name);
    }

    static long number(Map<?, ?> object, String name) {
        if (object.get(name) instanceof Long number && number >= 0) {
            return number;
        }
        throw wrong(name);
    }

    static List<?> list(Map<?, ?> object, String name) {
        Object member = object.get(name);
        if (member == null) {
            return List.of();
        }
        if (member instanceof List<?> list) {
            return list;
        }
        throw wrong(name);
    }

    static Map<?, ?> object(Object value, String name) {
        if (value instanceof Map<?, ?> object) {
            return object;
        }
        throw wrong(name);
    }

    static ProtocolException wrong(String name) {
        return new ProtocolException("what the server sent lacks '" + name + "', or it has another type", null);
    }
}
