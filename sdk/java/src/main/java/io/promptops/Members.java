package io.promptops;

import java.util.List;
import java.util.Map;

/** Reads typed members of JSON objects from the server. */
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
        return new ProtocolException("the server's data has no member '" + name + "' of the right type", null);
    }
}
