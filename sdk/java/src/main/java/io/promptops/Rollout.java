package io.promptops;

import io.promptops.internal.Bucketing;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** The variants of a prompt, each for a share of the subjects. */
record Rollout(String salt, List<Variant> variants) {
    /** The weight is in basis points. */
    record Variant(String name, long weight, Body body) {}

    static Rollout read(Map<?, ?> object) {
        List<Variant> variants = new ArrayList<>();
        for (Object member : Members.list(object, "variants")) {
            Map<?, ?> variant = Members.object(member, "variants");
            long weight = Members.number(variant, "weight");
            if (weight > Bucketing.BUCKETS) {
                throw Members.wrong("weight");
            }
            variants.add(new Variant(Members.text(variant, "name"), weight, Body.read(variant)));
        }
        Rollout rollout = new Rollout(Members.text(object, "salt"), List.copyOf(variants));
        if (rollout.variants.stream().mapToLong(Variant::weight).sum() != Bucketing.BUCKETS) {
            throw Members.wrong("weight");
        }
        return rollout;
    }

    Variant variantFor(String subject) {
        return owner(Bucketing.bucket(salt, subject));
    }

    Variant drawVariant() {
        return owner(ThreadLocalRandom.current().nextInt(Bucketing.BUCKETS));
    }

    /** Variants own consecutive ranges of buckets, each as wide as its weight. */
    private Variant owner(int bucket) {
        long end = 0;
        for (Variant variant : variants) {
            end += variant.weight;
            if (bucket < end) {
                return variant;
            }
        }
        throw new IllegalStateException("the weights add up to all buckets");
    }
}
