package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FakePromptsTest {
    private final FakePrompts fake = new FakePrompts().with("greeting", "Hello {{who}}!");

    @Test
    void returnsItsPrompts() {
        assertEquals("Hello Ada!", fake.render("greeting", Map.of("who", "Ada")));
        assertThrows(NotFoundException.class, () -> fake.getPrompt("other"));
        assertEquals("Hi", fake.render("other", Map.of(), PromptOptions.withDefault("Hi")));
    }

    @Test
    void notifiesOfChanges() {
        List<String> notifications = new ArrayList<>();
        fake.watch(notifications::add);
        fake.with("greeting", "Good day").remove("greeting");
        fake.remove("unknown");
        assertEquals(List.of("greeting", "greeting"), notifications);
    }

    @Test
    void canBeUnreachable() {
        fake.setUnreachable(true);
        assertThrows(ServerUnreachableException.class, () -> fake.getPrompt("greeting"));
        assertEquals(Source.DEFAULT, fake.getPrompt("greeting", PromptOptions.withDefault("Hi")).source());
    }
}
