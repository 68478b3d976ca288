package io.promptops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.promptops.internal.Bucketing;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class RolloutTest {
    @TestFactory
    Stream<DynamicTest> conformance() {
        Map<?, ?> content = ConformanceCases.read("bucketing.json");
        Map<?, ?> lists = (Map<?, ?>) content.get("variant_lists");
        return ConformanceCases.of(content).stream()
                .map(testCase -> DynamicTest.dynamicTest((String) testCase.get("name"), () -> play(testCase, lists)));
    }

    private static void play(Map<?, ?> testCase, Map<?, ?> lists) {
        String salt = (String) testCase.get("salt");
        String subject = (String) testCase.get("subject");
        byte[] hashed = (salt + ":" + subject).getBytes(StandardCharsets.UTF_8);
        assertEquals(testCase.get("hash"), Bucketing.murmur3(hashed) & 0xFFFF_FFFFL);
        assertEquals(testCase.get("bucket"), (long) Bucketing.bucket(salt, subject));
        ((Map<?, ?>) testCase.get("chosen")).forEach((list, name) -> {
            Rollout rollout = rollout(salt, (List<?>) lists.get(list));
            assertEquals(name, rollout.variantFor(subject).name(), (String) list);
        });
    }

    private static Rollout rollout(String salt, List<?> variants) {
        List<Object> objects = new ArrayList<>();
        for (Object entry : variants) {
            List<?> pair = (List<?>) entry;
            objects.add(Map.of("name", pair.get(0), "weight", pair.get(1), "content", "text"));
        }
        return Rollout.read(Map.of("salt", salt, "variants", objects));
    }

    @Test
    void drawsVariantsThatHaveWeightOnly() {
        Rollout rollout = rollout("s", List.of(List.of("off", 0L), List.of("a", 5000L), List.of("b", 5000L)));
        Set<String> drawn = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            drawn.add(rollout.drawVariant().name());
        }
        assertEquals(Set.of("a", "b"), drawn);
    }

    @Test
    void invalidWeightsAreRejected() {
        assertThrows(ProtocolException.class, () -> rollout("s", List.of(List.of("a", 9999L))));
        assertThrows(ProtocolException.class, () -> rollout("s", List.of(List.of("a", -1L), List.of("b", 10001L))));
        assertThrows(
                ProtocolException.class,
                () -> rollout("s", List.of(List.of("a", Long.MAX_VALUE), List.of("b", Long.MAX_VALUE), List.of("c", 10002L))));
    }
}
