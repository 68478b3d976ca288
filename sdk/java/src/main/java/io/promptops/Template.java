package io.promptops;

import io.promptops.internal.json.EcmaScriptNumber;
import io.promptops.internal.json.JsonWriter;
import io.promptops.internal.json.UnprintableValueException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The template language of prompts, rendered to the same bytes as by the server.
 *
 * <p>A name is one or more letters (Unicode general category L*), digits (Nd), "_" or "."; inside the
 * braces blanks (space, tab, CR, LF) are allowed.
 */
final class Template {
    private static final String OPENING = "{{";
    private static final String CLOSING = "}}";

    private final String text;
    private int nameBegin;
    private int nameEnd;
    private int end;

    private Template(String text) {
        this.text = text;
    }

    /**
     * Inserts the variables into the text, in one pass; if strict, a missing one is an error. Null renders to
     * "".
     */
    static String render(String text, Map<String, ?> variables, boolean strict) {
        Required.argument(variables, "the variables");
        return text == null ? "" : new Template(text).render(variables, strict);
    }

    /** The names of the variables, each once, in order of first appearance. */
    static List<String> variablesIn(String text) {
        Set<String> names = new LinkedHashSet<>();
        Template template = new Template(text);
        int at = 0;
        while ((at = text.indexOf(OPENING, at)) >= 0) {
            if (template.isPlaceholder(at)) {
                names.add(template.name());
                at = template.end;
            } else {
                at++;
            }
        }
        return new ArrayList<>(names);
    }

    private String render(Map<String, ?> variables, boolean strict) {
        Set<String> missing = new LinkedHashSet<>();
        StringBuilder rendered = new StringBuilder(text.length() + 64);
        int written = 0;
        int at = 0;
        while ((at = text.indexOf(OPENING, at)) >= 0) {
            if (!isPlaceholder(at)) {
                at++;
                continue;
            }
            String name = name();
            Object value = variables.get(name);
            if (value == null) {
                missing.add(name);
            } else {
                rendered.append(text, written, at).append(valueText(name, value));
                written = end;
            }
            at = end;
        }
        if (strict && !missing.isEmpty()) {
            throw new MissingVariableException(List.copyOf(missing));
        }
        return rendered.append(text, written, text.length()).toString();
    }

    private String name() {
        return text.substring(nameBegin, nameEnd);
    }

    /** Whether a placeholder begins here; stores the positions of its parts. */
    private boolean isPlaceholder(int begin) {
        nameBegin = afterBlanks(begin + OPENING.length());
        nameEnd = afterName(nameBegin);
        if (nameEnd == nameBegin) {
            return false;
        }
        int closing = afterBlanks(nameEnd);
        end = closing + CLOSING.length();
        return text.startsWith(CLOSING, closing);
    }

    private int afterBlanks(int at) {
        int next = at;
        while (next < text.length() && " \t\r\n".indexOf(text.charAt(next)) >= 0) {
            next++;
        }
        return next;
    }

    private int afterName(int at) {
        int next = at;
        while (next < text.length()) {
            int character = text.codePointAt(next);
            if (!isNamePart(character)) {
                break;
            }
            next += Character.charCount(character);
        }
        return next;
    }

    private static boolean isNamePart(int character) {
        return switch (Character.getType(character)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER,
                    Character.DECIMAL_DIGIT_NUMBER -> true;
            default -> character == '_' || character == '.';
        };
    }

    private static String valueText(String name, Object value) {
        if (value instanceof CharSequence || value instanceof Boolean || value instanceof Character) {
            return value.toString();
        }
        if (value instanceof Number number) {
            return EcmaScriptNumber.text(number);
        }
        try {
            return JsonWriter.write(value);
        } catch (UnprintableValueException error) {
            throw new TemplateValueException(name, error);
        }
    }
}
