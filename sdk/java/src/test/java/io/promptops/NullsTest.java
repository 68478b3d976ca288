package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class NullsTest {
    private static void refuses(String what, Executable call) {
        assertEquals(what + " must not be null", assertThrows(IllegalArgumentException.class, call).getMessage());
    }

    @Test
    void argumentsThatAreNullAreRefusedByName() {
        PromptOpsClient.Builder builder = PromptOpsClient.builder("http://127.0.0.1:1");
        refuses("the server's address", () -> new PromptOpsClient(null));
        refuses("the namespace", () -> builder.namespace(null));
        refuses("the token", () -> builder.token(null));
        refuses("the app's name", () -> builder.appName(null));
        refuses("the workspace", () -> builder.workspace(null));
        refuses("the time-out", () -> builder.timeout(null));
        refuses("the largest age", () -> builder.maxAge(null));
        refuses("the variables", () -> PromptOpsClient.renderTemplate("text", null));
        try (PromptOpsClient client = builder.build();
                FakePrompts fake = new FakePrompts().with("k", "text")) {
            for (Prompts prompts : List.of(client, fake)) {
                refuses("a prompt's key", () -> prompts.getPrompt(null));
                refuses("the options", () -> prompts.getPrompt("k", null));
                refuses("the listener", () -> prompts.watch((Consumer<String>) null));
            }
            refuses("the variables", () -> fake.render("k", null));
        }
    }

    @Test
    void aTemplateThatIsNullIsEmpty() {
        assertEquals("", PromptOpsClient.renderTemplate(null, Map.of("who", "Ada")));
        assertEquals("", PromptOpsClient.renderTemplate(null, Map.of(), true));
    }
}
