package io.promptops;

import io.promptops.internal.Bucketing;

/**
 * The options of a call; immutable, each method returns a changed copy.
 *
 * <pre>{@code
 * client.render("greeting", Map.of("who", "Ada"), PromptOptions.forSubject("user-42").orElse("Hello {{who}}!"));
 * }</pre>
 */
public final class PromptOptions {
    /** The default options. */
    public static final PromptOptions NONE = new PromptOptions(null, null, false, false);

    private final String subject;
    private final String fallback;
    private final boolean strict;
    private final boolean refresh;

    private PromptOptions(String subject, String fallback, boolean strict, boolean refresh) {
        this.subject = subject;
        this.fallback = fallback;
        this.strict = strict;
        this.refresh = refresh;
    }

    /**
     * Options for this subject, for example a user or session, which always gets the same variant of a
     * rollout.
     */
    public static PromptOptions forSubject(String subject) {
        return NONE.subject(subject);
    }

    /** Options with the content to use if the prompt can't be fetched or does not exist. */
    public static PromptOptions withDefault(String content) {
        return NONE.orElse(content);
    }

    /**
     * Sets the subject; an empty text counts as none. A text with half of a surrogate pair is rejected,
     * because it has no UTF-8.
     */
    public PromptOptions subject(String subject) {
        boolean isNone = subject == null || subject.isEmpty();
        if (!isNone) {
            Bucketing.utf8(subject);
        }
        return new PromptOptions(isNone ? null : subject, fallback, strict, refresh);
    }

    /** Sets the content to use if the prompt can't be fetched or does not exist. */
    public PromptOptions orElse(String content) {
        return new PromptOptions(subject, content, strict, refresh);
    }

    /** Makes a missing variable a MissingVariableException. */
    public PromptOptions strict() {
        return new PromptOptions(subject, fallback, true, refresh);
    }

    /** Asks the server first even though a copy is cached. */
    public PromptOptions refresh() {
        return new PromptOptions(subject, fallback, strict, true);
    }

    String subject() {
        return subject;
    }

    String fallback() {
        return fallback;
    }

    boolean isStrict() {
        return strict;
    }

    boolean isRefresh() {
        return refresh;
    }
}
