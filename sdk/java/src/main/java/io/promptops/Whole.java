package io.promptops;

import io.promptops.internal.json.JsonException;
import io.promptops.internal.json.JsonReader;
import java.text.Normalizer;
import java.time.Duration;
import java.util.Map;

/**
 * All that the server knows of a prompt, its rollout included.
 *
 * @param variant of an answer that was already assigned, else null
 * @param rollout null while none is on
 * @param drawn the variant for calls without a subject; null without a rollout
 * @param json as it was sent
 */
record Whole(String key, String env, Body body, String variant, Rollout rollout, Rollout.Variant drawn, String json) {

    /** Raises ProtocolException. */
    static Whole read(String json) {
        try {
            return read(JsonReader.readObject(json), json.strip());
        } catch (JsonException bad) {
            throw new ProtocolException("the server sent a prompt that " + bad.getMessage(), bad);
        }
    }

    /** Likewise, of what was read already. */
    static Whole read(Map<?, ?> object, String json) {
        Object member = object.get("rollout");
        Rollout rollout = member == null ? null : Rollout.read(Members.object(member, "rollout"));
        return new Whole(
                Members.text(object, "key"),
                Members.text(object, "env", ""),
                Body.read(object),
                Members.text(object, "variant", null),
                rollout,
                rollout == null ? null : rollout.drawn(),
                json);
    }

    /** Raises ProtocolException where it is another prompt than this; keys are the same in Unicode's composed form. */
    void requireKey(String asked) {
        boolean isSame = Normalizer.normalize(key, Normalizer.Form.NFC)
                .equals(Normalizer.normalize(asked, Normalizer.Form.NFC));
        if (!isSame) {
            throw new ProtocolException("the prompt '" + asked + "' was asked for, '" + key + "' came", null);
        }
    }

    /** Whether it is the same value, however it is written. */
    boolean isSame(Whole other) {
        try {
            return json.equals(other.json) || JsonReader.read(json).equals(JsonReader.read(other.json));
        } catch (JsonException impossible) {
            throw new IllegalStateException("both were read before", impossible);
        }
    }

    Whole drawnAnew() {
        return rollout == null ? this : new Whole(key, env, body, variant, rollout, rollout.drawn(), json);
    }

    /** A text that stands in for a prompt. */
    static Whole of(String key, String env, String content) {
        return new Whole(key, env, Body.ofText(content), null, null, null, "");
    }

    /** The answer to a call that the prompt can't be had for. */
    static Prompt defaultAnswer(String key, String content) {
        return of(key, "", content).answer(null, Source.DEFAULT, null, null);
    }

    /** The answer to one call; for this subject, unless it is null. */
    Prompt answer(String subject, Source source, Long revision, Duration age) {
        if (rollout == null) {
            return answer(body, variant, source, revision, age);
        }
        Rollout.Variant assigned = subject == null ? drawn : rollout.chosenFor(subject);
        return answer(assigned.body(), assigned.name(), source, revision, age);
    }

    private Prompt answer(Body said, String variantName, Source source, Long revision, Duration age) {
        return new Prompt(
                key,
                said.version(),
                env,
                said.model(),
                said.content(),
                variantName,
                said.kind(),
                said.messages(),
                said.config(),
                said.variables(),
                source,
                revision,
                age);
    }
}
