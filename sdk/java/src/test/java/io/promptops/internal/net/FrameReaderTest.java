package io.promptops.internal.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class FrameReaderTest {
    private static FrameReader reader(byte[] bytes) {
        return new FrameReader(new ByteArrayInputStream(bytes), payload -> {});
    }

    @Test
    void joinsFragments() throws IOException {
        byte[] frames = {0x01, 1, 'a', (byte) 0x89, 0, 0x00, 0, (byte) 0x80, 1, 'b'};
        assertEquals("ab", reader(frames).nextText());
    }

    @Test
    void rejectsInvalidFrames() {
        byte[][] broken = {
            {(byte) 0xC1, 0}, {(byte) 0x81, (byte) 0x80}, {(byte) 0x83, 0}, {(byte) 0x82, 0}, {(byte) 0x80, 0},
            {0x09, 0}, {(byte) 0x89, 126, 0, 126}, {(byte) 0x88, 1, 3}, {0x01, 0, 0x01, 0},
            {(byte) 0x81, 127, 0, 0, 0, 0, 0, 16, 0, 1}, {(byte) 0x81, 1, (byte) 0xFF},
        };
        for (byte[] frames : broken) {
            assertThrows(BadResponseException.class, () -> reader(frames).nextText());
        }
    }

    /** Returns the seconds of pauses between so many frames that arrive together. */
    private static double secondsFor(byte[] frame, int count) {
        ByteBuffer frames = ByteBuffer.allocate(frame.length * count);
        for (int i = 0; i < count; i++) {
            frames.put(frame);
        }
        AtomicLong now = new AtomicLong();
        Pace pace = new Pace(now::get, now::addAndGet);
        FrameReader reader = new FrameReader(new ByteArrayInputStream(frames.array()), payload -> {}, pace);
        assertThrows(EOFException.class, () -> {
            while (true) {
                reader.nextText();
            }
        });
        return now.get() / 1e9;
    }

    @Test
    void aFloodIsReadAtAPaceAndABurstImmediately() {
        byte[] ping = {(byte) 0x89, 0};
        byte[] emptyMessage = {(byte) 0x81, 0};
        byte[] emptyFragments = {0x01, 0, (byte) 0x80, 0};
        for (byte[] frames : new byte[][] {ping, emptyMessage, emptyFragments}) {
            int framesEach = frames.length / 2;
            assertEquals(0, secondsFor(frames, Pace.BURST / framesEach - 1));
            double seconds = secondsFor(frames, (Pace.BURST + 5 * Pace.PER_SECOND) / framesEach);
            assertEquals(5, seconds, 0.01);
        }
    }

    @Test
    void aCloseHasAReason() {
        byte[] frame = {(byte) 0x88, 4, 0x11, 0x31, 'n', 'o'};
        ClosedByServerException closed = assertThrows(ClosedByServerException.class, () -> reader(frame).nextText());
        assertEquals(4401, closed.code());
    }

    @Test
    void anyBytesAreATextOrACleanError() {
        Random random = new Random(20260101);
        int texts = 0;
        for (int round = 0; round < 300_000; round++) {
            byte[] bytes = new byte[random.nextInt(24)];
            random.nextBytes(bytes);
            if (bytes.length > 1 && round % 2 == 0) {
                bytes[0] = (byte) (random.nextInt(2) << 7 | random.nextInt(11));
                bytes[1] = (byte) random.nextInt(20);
            }
            try {
                reader(bytes).nextText();
                texts++;
            } catch (BadResponseException | ClosedByServerException | EOFException clean) {
                continue;
            } catch (IOException other) {
                throw new AssertionError(other);
            }
        }
        assertTrue(texts > 500, "only " + texts + " were texts: the generator is no good");
    }
}
