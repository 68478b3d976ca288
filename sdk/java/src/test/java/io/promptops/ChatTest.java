package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class ChatTest {
    private static final Message HISTORY = Chat.read(Map.of("type", "placeholder", "name", "history"));

    @TestFactory
    Stream<DynamicTest> conformance() {
        return ConformanceCases.of(ConformanceCases.read("messages.json")).stream()
                .map(testCase -> DynamicTest.dynamicTest((String) testCase.get("name"), () -> play(testCase)));
    }

    private static void play(Map<?, ?> testCase) {
        List<Message> messages = ((List<?>) testCase.get("messages"))
                .stream().map(message -> Chat.read((Map<?, ?>) message)).toList();
        Map<String, Object> variables = new HashMap<>();
        ((Map<?, ?>) testCase.get("variables")).forEach((name, value) -> variables.put((String) name, value));

        if (testCase.get("refused") instanceof Map<?, ?> refused) {
            PlaceholderException error =
                    assertThrows(PlaceholderException.class, () -> Chat.render(messages, variables, false));
            assertEquals(refused.get("variable"), error.name());
            Object index = refused.get("index");
            assertEquals(
                    index instanceof Long at ? OptionalInt.of(at.intValue()) : OptionalInt.empty(), error.index());
            return;
        }
        assertEquals(testCase.get("expected"), jsonOf(Chat.render(messages, variables, false)));
        assertEquals(testCase.get("content"), Chat.joinedTexts(messages));
        if (List.of().equals(testCase.get("missing"))) {
            assertEquals(testCase.get("expected"), jsonOf(Chat.render(messages, variables, true)));
        } else {
            MissingVariableException error =
                    assertThrows(MissingVariableException.class, () -> Chat.render(messages, variables, true));
            assertEquals(testCase.get("missing"), error.names());
        }
    }

    private static List<?> jsonOf(List<Message> messages) {
        return messages.stream().map(Message::json).toList();
    }

    @Test
    void messagesOfJavaFillAPlaceholderToo() {
        List<Message> history = List.of(new Message("user", "{{a}}"), new Message("assistant", "b"));
        assertEquals(history, Chat.render(List.of(HISTORY), Map.of("history", history, "a", "x"), true));
    }

    @Test
    void theErrorNamesAnInvalidMessage() {
        for (Object item : new Object[] {7, Map.of(1, "x"), Map.of("role", "user"), HISTORY}) {
            PlaceholderException error = assertThrows(
                    PlaceholderException.class,
                    () -> Chat.render(List.of(HISTORY), Map.of("history", List.of(new Message("user", "a"), item)), false));
            assertEquals(OptionalInt.of(1), error.index());
        }
        assertThrows(IllegalArgumentException.class, () -> Chat.render(List.of(HISTORY), null, false));
    }

    @Test
    void renderedMessagesAreUnmodifiable() {
        List<Message> rendered = Chat.render(List.of(new Message("user", "a")), Map.of(), false);
        assertThrows(UnsupportedOperationException.class, () -> rendered.get(0).json().put("role", "x"));
        assertThrows(UnsupportedOperationException.class, rendered::clear);
    }

    @Test
    void messagesThatNoServerSendsAreRejected() {
        for (Map<?, ?> message : List.of(
                Map.of(),
                Map.of("role", "user"),
                Map.of("role", "user", "content", 7),
                Map.of("role", "user", "content", List.of(7)),
                Map.of("role", "user", "content", List.of(Map.of("type", 7))),
                Map.of("role", "assistant", "tool_calls", List.of()),
                Map.of("type", "placeholder"))) {
            assertThrows(ProtocolException.class, () -> Chat.read(message));
        }
    }

    @Test
    void aTextPromptIsOneMessageOfTheUser() {
        FakePrompts fake = new FakePrompts().with("greeting", "Hello {{who}}!");
        assertEquals(
                List.of(new Message("user", "Hello Ada!")), fake.renderMessages("greeting", Map.of("who", "Ada")));
    }
}
