package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class TemplateTest {
    @TestFactory
    Stream<DynamicTest> conformance() {
        return ConformanceCases.of(ConformanceCases.read("templates.json")).stream()
                .map(testCase -> DynamicTest.dynamicTest((String) testCase.get("name"), () -> play(testCase)));
    }

    private static void play(Map<?, ?> testCase) {
        int repeat = testCase.get("repeat") instanceof Long times ? times.intValue() : 1;
        String template = ((String) testCase.get("template")).repeat(repeat);
        Map<String, Object> variables = new HashMap<>();
        ((Map<?, ?>) testCase.get("variables")).forEach((name, value) -> variables.put((String) name, value));

        String rendered = assertTimeout(Duration.ofSeconds(1), () -> Template.render(template, variables, false));

        assertEquals(((String) testCase.get("expected")).repeat(repeat), rendered);
        assertEquals(testCase.get("names"), Template.variablesIn(template));
    }

    @Test
    void strictNamesAllMissingVariables() {
        Map<String, Object> variables = new HashMap<>();
        variables.put("nothing", null);
        variables.put("who", "Ada");

        MissingVariableException error = assertThrows(
                MissingVariableException.class,
                () -> Template.render("{{b}} {{who}} {{nothing}} {{a}} {{b}} {{not one}}", variables, true));

        assertEquals(List.of("b", "nothing", "a"), error.names());
        assertEquals("Ada", Template.render("{{who}}", variables, true));
    }

    @Test
    void valuesOfJavaArePrintedToo() {
        Map<String, Object> variables = Map.of(
                "array", new int[] {1, 2}, "builder", new StringBuilder("text"), "letter", 'x', "set", List.of('a'), "objects",
                new Object[] {1.0f, null});
        assertEquals("[1,2] text x [\"a\"] [1,null]", Template.render("{{array}} {{builder}} {{letter}} {{set}} {{objects}}", variables, false));
    }

    @Test
    void theErrorNamesAValueWithoutAJsonForm() {
        List<Object> itself = new ArrayList<>();
        itself.add(itself);
        for (Object value : new Object[] {new Object(), itself, Map.of(new Object(), 1)}) {
            TemplateValueException error = assertThrows(
                    TemplateValueException.class, () -> Template.render("{{a}}", Map.of("a", value), false));
            assertEquals("a", error.name());
        }
    }

    @Test
    void aDeepValueDoesNotExhaustTheStack() {
        Object deep = 1;
        for (int depth = 0; depth < 100_000; depth++) {
            deep = List.of(deep);
        }
        assertEquals(200_001, Template.render("{{a}}", Map.of("a", deep), false).length());
    }
}
