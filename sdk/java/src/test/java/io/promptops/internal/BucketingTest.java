package io.promptops.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class BucketingTest {
    @Test
    void aTextWithoutUtf8IsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Bucketing.bucket("salt", "\uD800"));
    }

    @Test
    void allThatIsHashedIsTheUtf8OfBoth() {
        assertEquals(Bucketing.bucket("a", "b:c"), Bucketing.bucket("a:b", "c"));
    }
}
