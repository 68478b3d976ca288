package io.promptops;

import io.promptops.internal.Bucketing;

/**
 * How a call is to be answered; immutable, each method answers a changed copy.
 *
 * <pre>{@code
 * client.render("greeting", Map.of("who", "Ada"), PromptOptions.forSubject("user-42").orElse("Hello {{who}}!"));
 * }</pre>
 */
public final class PromptOptions {
    /** Nothing special. */
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

    /** For this user, session or the like: it gets the same variant of a rollout each time. */
    public static PromptOptions forSubject(String subject) {
        return NONE.subject(subject);
    }

    /** With this content where the prompt can't be had, or does not exist. */
    public static PromptOptions withDefault(String content) {
        return NONE.orElse(content);
    }

    /** For this subject; an empty one is none. It must have a form in UTF-8, so no half of a surrogate pair. */
    public PromptOptions subject(String subject) {
        boolean isNone = subject == null || subject.isEmpty();
        if (!isNone) {
            Bucketing.utf8(subject);
        }
        return new PromptOptions(isNone ? null : subject, fallback, strict, refresh);
    }

    /** With this content where the prompt can't be had, or does not exist. */
    public PromptOptions orElse(String content) {
        return new PromptOptions(subject, content, strict, refresh);
    }

    /** A missing variable is a MissingVariableException. */
    public PromptOptions strict() {
        return new PromptOptions(subject, fallback, true, refresh);
    }

    /** The server is asked first, although a copy is held. */
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
