package io.promptops.internal.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonReaderTest {
    private static final String SAMPLE = "{\"key\": \"gr\\u00fc\\u00dfe\", \"n\": [0, -1.5e-3, 12345678901234567890, true, null],"
            + " \"config\": {\"a\": {\"b\": [[], {}]}}, \"content\": \"\uD83D\uDE00 {{ who }} \\\"\\\\\\/\\b\\f\\n\\r\\t\"}";

    @Test
    void readsEveryKindOfValue() throws JsonException {
        Map<?, ?> object = JsonReader.readObject(SAMPLE);

        assertEquals("grüße", object.get("key"));
        List<Object> numbers = Arrays.asList(0L, -1.5e-3, new BigInteger("12345678901234567890"), true, null);
        assertEquals(numbers, object.get("n"));
        assertEquals(Map.of("a", Map.of("b", List.of(List.of(), Map.of()))), object.get("config"));
        assertEquals("\uD83D\uDE00 {{ who }} \"\\/\b\f\n\r\t", object.get("content"));
    }

    @Test
    void numbersBeyondTheTypesAreExactOrInfinite() throws JsonException {
        assertEquals(Long.MIN_VALUE, JsonReader.read("-9223372036854775808"));
        assertEquals(new BigInteger("9223372036854775808"), JsonReader.read("9223372036854775808"));
        assertEquals(Double.POSITIVE_INFINITY, JsonReader.read("1e400"));
        assertEquals(Double.NEGATIVE_INFINITY, JsonReader.read("-" + "9".repeat(1_000_000)));
    }

    @Test
    void loneSurrogatesAreReadAsEscapes() throws JsonException {
        assertEquals("a\uD800b", JsonReader.read("\"a\\ud800b\""));
        assertEquals("\"a\\ud800b\"", JsonWriter.write(JsonReader.read("\"a\\ud800b\"")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", " ", "{", "[", "\"", "nul", "True", "NaN", "Infinity", "-", "01", "1.", ".5", "1e", "+1", "0x1", "1 2",
                "[1,]", "[,1]", "{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\" 1}", "{1:2}", "[1}", "{\"a\":}", "\"\\x\"",
                "\"\\u12g4\"", "\"\\u12\"", "\"\\u٠٠٠٠\"", "\"a\nb\"", "\"\u0000\"", "// 1", "1 // x", "\u00a01", "\ufeff1", "]",
                "--1", "1e+-1", "[1 2]", "tru", "\"\\"
            })
    void rejectsInvalidJson(String text) {
        assertThrows(JsonException.class, () -> JsonReader.read(text));
    }

    @Test
    void refusesWhatIsNotUtf8() {
        byte[][] invalid = {
            {'"', (byte) 0xFF, '"'},
            {'"', (byte) 0xC0, (byte) 0x80, '"'},
            {'"', (byte) 0xED, (byte) 0xA0, (byte) 0x80, '"'},
            {'"', (byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80, '"'},
            {'"', (byte) 0xE2, (byte) 0x82},
        };
        for (byte[] bytes : invalid) {
            assertThrows(JsonException.class, () -> JsonReader.read(bytes));
        }
    }

    @Test
    void nestingIsBounded() throws JsonException {
        int deepest = JsonReader.DEEPEST;
        JsonReader.read("[".repeat(deepest) + "]".repeat(deepest));
        assertThrows(JsonException.class, () -> JsonReader.read("[".repeat(deepest + 1) + "]".repeat(deepest + 1)));
        assertThrows(JsonException.class, () -> JsonReader.read("[".repeat(10_000_000)));
        assertThrows(JsonException.class, () -> JsonReader.read("{\"a\":".repeat(1_000_000)));
    }

    @Test
    void returnsMembersUnchanged() throws JsonException {
        Map<String, String> members = JsonReader.readMemberTexts(" { \"a\" : 1.0 , \"b\":{ \"c\" : [ ] } } ");
        assertEquals(Map.of("a", "1.0", "b", "{ \"c\" : [ ] }"), members);
    }

    @Test
    void anyBytesAreReadOrRejected() {
        Random random = new Random(20260101);
        byte[] sample = SAMPLE.getBytes(StandardCharsets.UTF_8);
        byte[] alphabet = "{}[]\",:\\u0123456789eE+-.truefalsnl \n\u00e9".getBytes(StandardCharsets.UTF_8);
        int read = 0;
        for (int round = 0; round < 200_000; round++) {
            read += reads(switch (round % 4) {
                case 0 -> randomBytes(random, new byte[random.nextInt(40)]);
                case 1 -> Arrays.copyOf(sample, random.nextInt(sample.length));
                case 2 -> mutated(random, sample.clone());
                default -> drawn(random, alphabet, new byte[random.nextInt(30)]);
            }) ? 1 : 0;
        }
        assertTrue(read > 1000, "only " + read + " were JSON: the generator is no good");
    }

    /** A value is the same after writing and reading it. */
    private static boolean reads(byte[] bytes) {
        Object value;
        try {
            value = JsonReader.read(bytes);
        } catch (JsonException refused) {
            assertTrue(refused.getMessage().startsWith("is no"));
            return false;
        }
        String written = JsonWriter.write(value);
        try {
            assertEquals(written, JsonWriter.write(JsonReader.read(written)));
        } catch (JsonException unreadable) {
            throw new AssertionError(written, unreadable);
        }
        return true;
    }

    private static byte[] randomBytes(Random random, byte[] bytes) {
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] mutated(Random random, byte[] bytes) {
        for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        return bytes;
    }

    private static byte[] drawn(Random random, byte[] alphabet, byte[] bytes) {
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = alphabet[random.nextInt(alphabet.length)];
        }
        return bytes;
    }
}
