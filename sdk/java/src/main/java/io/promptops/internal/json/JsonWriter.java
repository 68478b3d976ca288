package io.promptops.internal.json;

import java.lang.reflect.Array;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** Prints JSON like JSON.stringify. Source: ECMA-262, "JSON.stringify". */
public final class JsonWriter {
    private static final long LARGEST_ARRAY_INDEX = (1L << 32) - 2;

    private final StringBuilder printed = new StringBuilder();
    // A separate stack instead of recursion, because the depth of a caller's value must not overflow the
    // thread's stack.
    private final Deque<Container> entered = new ArrayDeque<>();
    private final Set<Object> enteredValues = Collections.newSetFromMap(new IdentityHashMap<>());

    private JsonWriter() {}

    /**
     * The compact JSON of null, booleans, numbers, text, maps, iterables and arrays of them, nested
     * to any depth. NaN and the infinities are null; names that are array indexes come first, in
     * ascending order, since a JavaScript object can't hold them otherwise.
     *
     * @throws UnprintableValueException for anything else, and for a container that contains itself
     */
    public static String write(Object value) {
        JsonWriter writer = new JsonWriter();
        writer.print(value);
        while (!writer.entered.isEmpty()) {
            writer.printNext();
        }
        return writer.printed.toString();
    }

    private record Container(Object value, Iterator<?> items, String end) {
        boolean isObject() {
            return end.equals("}");
        }
    }

    private void printNext() {
        Container container = entered.getLast();
        if (!container.items.hasNext()) {
            printed.append(container.end);
            enteredValues.remove(container.value);
            entered.removeLast();
            return;
        }
        char before = printed.charAt(printed.length() - 1);
        Object next = container.items.next();
        // After an item, no other character can be the last one here.
        if (before != '[' && before != '{') {
            printed.append(',');
        }
        if (container.isObject()) {
            Map.Entry<?, ?> member = (Map.Entry<?, ?>) next;
            printString((String) member.getKey());
            printed.append(':');
            next = member.getValue();
        }
        print(next);
    }

    private void print(Object value) {
        if (value instanceof CharSequence || value instanceof Character) {
            printString(value.toString());
        } else if (value == null || value instanceof Boolean) {
            printed.append(value);
        } else if (value instanceof Number number) {
            boolean finite = Double.isFinite(number.doubleValue());
            printed.append(finite ? EcmaScriptNumber.text(number) : "null");
        } else if (value instanceof Map<?, ?> map) {
            enter(new Container(map, members(map).entrySet().iterator(), "}"), '{');
        } else if (value instanceof Iterable<?> iterable) {
            enter(new Container(iterable, iterable.iterator(), "]"), '[');
        } else if (value.getClass().isArray()) {
            enter(new Container(value, items(value), "]"), '[');
        } else {
            throw new UnprintableValueException("a " + value.getClass().getName() + " has no JSON form");
        }
    }

    private void enter(Container container, char begin) {
        if (!enteredValues.add(container.value)) {
            String type = container.value.getClass().getName();
            throw new UnprintableValueException("a " + type + " contains itself");
        }
        entered.addLast(container);
        printed.append(begin);
    }

    private static Iterator<Object> items(Object array) {
        return IntStream.range(0, Array.getLength(array)).mapToObj(i -> Array.get(array, i)).iterator();
    }

    private static Map<String, Object> members(Map<?, ?> map) {
        Map<Long, Object> indexed = new TreeMap<>();
        Map<String, Object> byName = new LinkedHashMap<>();
        map.forEach((key, member) -> {
            String name = name(key);
            if (isArrayIndex(name)) {
                indexed.put(Long.valueOf(name), member);
            } else {
                byName.put(name, member);
            }
        });
        if (indexed.isEmpty()) {
            return byName;
        }
        Map<String, Object> members = new LinkedHashMap<>();
        indexed.forEach((index, member) -> members.put(index.toString(), member));
        members.putAll(byName);
        return members;
    }

    private static String name(Object key) {
        if (key instanceof Number number) {
            return EcmaScriptNumber.text(number);
        }
        boolean isText = key instanceof CharSequence || key instanceof Character || key instanceof Enum;
        if (key == null || isText || key instanceof Boolean) {
            return String.valueOf(key);
        }
        throw new UnprintableValueException("a " + key.getClass().getName() + " can't be a key in JSON");
    }

    private static boolean isArrayIndex(String name) {
        if (name.isEmpty() || name.length() > 10 || name.length() > 1 && name.charAt(0) == '0') {
            return false;
        }
        boolean digits = name.chars().allMatch(digit -> digit >= '0' && digit <= '9');
        return digits && Long.parseLong(name) <= LARGEST_ARRAY_INDEX;
    }

    private void printString(String text) {
        printed.append('"');
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            boolean pair = i + 1 < text.length() && Character.isSurrogatePair(unit, text.charAt(i + 1));
            if (pair) {
                printed.append(unit).append(text.charAt(++i));
            } else {
                printUnit(unit);
            }
        }
        printed.append('"');
    }

    private void printUnit(char unit) {
        int escape = "\"\\\b\f\n\r\t".indexOf(unit);
        if (escape >= 0) {
            printed.append('\\').append("\"\\bfnrt".charAt(escape));
        } else if (unit < ' ' || Character.isSurrogate(unit)) {
            printed.append(String.format("\\u%04x", (int) unit));
        } else {
            printed.append(unit);
        }
    }
}
