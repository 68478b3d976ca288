package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.text.Normalizer;
import java.time.Duration;
import java.util.Map;

/**
 * A prompt with its rollout, as the server sends it.
 *
 * @param variant the variant if the server already drew it, else null
 * @param rollout null without a rollout
 * @param drawnVariant the variant for calls without a subject; null without a rollout
 * @param json the original text
 */
record FullPrompt(String key, String env, Body body, String variant, Rollout rollout, Rollout.Variant drawnVariant, String json) {

    /** Parses a prompt; throws ProtocolException. */
    static FullPrompt read(String json) {
        try {
            return read(JsonReader.readObject(json), json.strip());
        } catch (JsonException error) {
            throw new ProtocolException("the server sent a prompt that " + error.getMessage(), error);
        }
    }

    /** Converts parsed JSON; throws ProtocolException. */
    static FullPrompt read(Map<?, ?> object, String json) {
        Object member = object.get("rollout");
        Rollout rollout = member == null ? null : Rollout.read(Members.object(member, "rollout"));
        return new FullPrompt(
                Members.text(object, "key"),
                Members.text(object, "env", ""),
                Body.read(object),
                Members.text(object, "variant", null),
                rollout,
                rollout == null ? null : rollout.drawVariant(),
                json);
    }

    /** Throws ProtocolException if it is another prompt; keys are compared in Unicode's composed form. */
    void requireKey(String requestedKey) {
        boolean isSame = Normalizer.normalize(key, Normalizer.Form.NFC)
                .equals(Normalizer.normalize(requestedKey, Normalizer.Form.NFC));
        if (!isSame) {
            throw new ProtocolException("the prompt '" + requestedKey + "' was requested, but '" + key + "' was received", null);
        }
    }

    /** Whether it is the same value in JSON, regardless of its format. */
    boolean isSame(FullPrompt other) {
        try {
            return json.equals(other.json) || JsonReader.read(json).equals(JsonReader.read(other.json));
        } catch (JsonException impossible) {
            throw new IllegalStateException("both were read before", impossible);
        }
    }

    FullPrompt redrawn() {
        return rollout == null ? this : new FullPrompt(key, env, body, variant, rollout, rollout.drawVariant(), json);
    }

    /** A prompt that consists of a text. */
    static FullPrompt of(String key, String env, String content) {
        return new FullPrompt(key, env, Body.ofText(content), null, null, null, "");
    }

    /** The default prompt for a call. */
    static Prompt defaultPrompt(String key, String content) {
        return of(key, "", content).toPrompt(null, Source.DEFAULT, null, null);
    }

    /** The prompt for one call and subject, which may be null. */
    Prompt toPrompt(String subject, Source source, Long revision, Duration age) {
        if (rollout == null) {
            return toPrompt(body, variant, source, revision, age);
        }
        Rollout.Variant assigned = subject == null ? drawnVariant : rollout.variantFor(subject);
        return toPrompt(assigned.body(), assigned.name(), source, revision, age);
    }

    private Prompt toPrompt(Body state, String variantName, Source source, Long revision, Duration age) {
        return new Prompt(
                key,
                state.version(),
                env,
                state.model(),
                state.content(),
                variantName,
                state.kind(),
                state.messages(),
                state.config(),
                state.variables(),
                source,
                revision,
                age);
    }
}
