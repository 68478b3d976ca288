package io.promptops.internal.json;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON (RFC 8259) strictly.
 *
 * <p>Objects become a {@link LinkedHashMap} (the last of equal names counts), arrays an {@link
 * ArrayList}, whole numbers a Long or BigInteger, other numbers a Double, which is infinite beyond
 * the largest. Strings may contain lone surrogates, as escapes.
 */
public final class JsonReader {
    /** The deepest nesting, which fits into a small stack; the server stores nothing over 100. */
    public static final int DEEPEST = 128;

    // Longer whole numbers are beyond the largest double, and slow to parse exactly.
    private static final int LONGEST_INTEGER = 310;
    private static final int LONGEST_LONG = 18;

    private final String text;
    private int at;
    private int depth;

    private JsonReader(String text) {
        this.text = text;
    }

    /** Parses the whole text as one value. */
    public static Object read(String text) throws JsonException {
        JsonReader reader = new JsonReader(text);
        reader.skipBlanks();
        Object value = reader.value();
        reader.expectEnd();
        return value;
    }

    /** Parses UTF-8 as one value. */
    public static Object read(byte[] utf8) throws JsonException {
        return read(decode(utf8));
    }

    /** Parses the text as an object. */
    public static Map<?, ?> readObject(String text) throws JsonException {
        if (read(text) instanceof Map<?, ?> object) {
            return object;
        }
        throw new JsonException("is not a JSON object");
    }

    /** The members of an object, each with its original text. */
    public static Map<String, String> readMemberTexts(String text) throws JsonException {
        JsonReader reader = new JsonReader(text);
        reader.skipBlanks();
        if (reader.peek() != '{') {
            throw reader.error("expected an object");
        }
        Map<String, String> members = new LinkedHashMap<>();
        reader.members((name, begin) -> {
            reader.value();
            members.put(name, text.substring(begin, reader.at));
        });
        reader.expectEnd();
        return members;
    }

    /** The elements of an array, each with its original text. */
    public static List<String> readElementTexts(String text) throws JsonException {
        JsonReader reader = new JsonReader(text);
        reader.skipBlanks();
        if (reader.peek() != '[') {
            throw reader.error("expected a list");
        }
        List<String> elements = new ArrayList<>();
        reader.elements(begin -> {
            reader.value();
            elements.add(text.substring(begin, reader.at));
        });
        reader.expectEnd();
        return elements;
    }

    /** The text of UTF-8 bytes, all of which must be valid. */
    public static String decode(byte[] utf8) throws JsonException {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(utf8))
                    .toString();
        } catch (CharacterCodingException notUtf8) {
            throw new JsonException("is not UTF-8");
        }
    }

    private interface OnMember {
        void read(String name, int begin) throws JsonException;
    }

    private interface OnElement {
        void read(int begin) throws JsonException;
    }

    private Object value() throws JsonException {
        switch (peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return literal("true", Boolean.TRUE);
            case 'f':
                return literal("false", Boolean.FALSE);
            case 'n':
                return literal("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() throws JsonException {
        Map<String, Object> object = new LinkedHashMap<>();
        members((name, begin) -> object.put(name, value()));
        return object;
    }

    private void members(OnMember onMember) throws JsonException {
        enter();
        if (!skip('}')) {
            do {
                skipBlanks();
                if (peek() != '"') {
                    throw error("expected a name");
                }
                String name = string();
                skipBlanks();
                expect(':');
                skipBlanks();
                onMember.read(name, at);
                skipBlanks();
            } while (skip(','));
            expect('}');
        }
        depth--;
    }

    private List<Object> array() throws JsonException {
        List<Object> array = new ArrayList<>();
        elements(begin -> array.add(value()));
        return array;
    }

    private void elements(OnElement onElement) throws JsonException {
        enter();
        if (!skip(']')) {
            do {
                skipBlanks();
                onElement.read(at);
                skipBlanks();
            } while (skip(','));
            expect(']');
        }
        depth--;
    }

    private void enter() throws JsonException {
        at++;
        if (++depth > DEEPEST) {
            throw error("nested more than " + DEEPEST + " deep");
        }
        skipBlanks();
    }

    private String string() throws JsonException {
        int begin = ++at;
        while (at < text.length() && text.charAt(at) != '"' && text.charAt(at) != '\\') {
            plainCharacter();
        }
        if (peek() == '"') {
            return text.substring(begin, at++);
        }
        StringBuilder string = new StringBuilder(text.substring(begin, at));
        while (peek() != '"') {
            string.append(text.charAt(at) == '\\' ? escaped() : plainCharacter());
        }
        at++;
        return string.toString();
    }

    private char plainCharacter() throws JsonException {
        if (text.charAt(at) < ' ') {
            throw error("a control character within a string");
        }
        return text.charAt(at++);
    }

    private char escaped() throws JsonException {
        at++;
        char name = peek();
        at++;
        switch (name) {
            case '"':
            case '\\':
            case '/':
                return name;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                return hexadecimal();
            default:
                throw error("an unknown escape");
        }
    }

    private char hexadecimal() throws JsonException {
        int code = 0;
        for (int digits = 0; digits < 4; digits++) {
            char digit = peek();
            int value = digit < 0x80 ? Character.digit(digit, 16) : -1;
            if (value < 0) {
                throw error("expected four hexadecimal digits");
            }
            code = code * 16 + value;
            at++;
        }
        return (char) code;
    }

    private Object literal(String literal, Object value) throws JsonException {
        if (!text.startsWith(literal, at)) {
            throw error("expected a value");
        }
        at += literal.length();
        return value;
    }

    private Number number() throws JsonException {
        int begin = at;
        skip('-');
        if (!skip('0')) {
            digits();
        }
        boolean whole = true;
        if (skip('.')) {
            whole = false;
            digits();
        }
        if (skip('e') || skip('E')) {
            whole = false;
            if (!skip('+')) {
                skip('-');
            }
            digits();
        }
        String number = text.substring(begin, at);
        if (!whole || number.length() > LONGEST_INTEGER) {
            return Double.valueOf(number);
        }
        return integer(number);
    }

    private static Number integer(String number) {
        if (number.length() <= LONGEST_LONG) {
            return Long.valueOf(number);
        }
        BigInteger integer = new BigInteger(number);
        return integer.bitLength() < Long.SIZE ? (Number) integer.longValue() : integer;
    }

    private void digits() throws JsonException {
        int begin = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == begin) {
            throw error(at == text.length() ? "ends too early" : "expected a value");
        }
    }

    private char peek() throws JsonException {
        if (at == text.length()) {
            throw error("ends too early");
        }
        return text.charAt(at);
    }

    private boolean skip(char expected) {
        if (at < text.length() && text.charAt(at) == expected) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(char expected) throws JsonException {
        if (!skip(expected)) {
            throw error("expected '" + expected + "'");
        }
    }

    private void expectEnd() throws JsonException {
        skipBlanks();
        if (at < text.length()) {
            throw error("continues after its value");
        }
    }

    private void skipBlanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private JsonException error(String what) {
        return new JsonException("is not JSON: at character " + at + ": " + what);
    }
}
