package io.promptops.internal.net;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Parses the frames of a server (RFC 6455, section 5), and joins fragments. Throws BadResponseException for
 * invalid frames.
 */
final class FrameReader {
    /** The largest message in bytes; events have a few hundred. */
    static final int LARGEST_MESSAGE = 1024 * 1024;

    static final int CONTINUATION = 0;
    static final int TEXT = 1;
    static final int BINARY = 2;
    static final int CLOSE = 8;
    static final int PING = 9;
    static final int PONG = 10;

    private static final int LARGEST_CONTROL = 125;

    private final PushbackInputStream in;
    private final OnPing onPing;
    private final Pace pace;

    FrameReader(InputStream in, OnPing onPing) {
        this(in, onPing, new Pace());
    }

    FrameReader(InputStream in, OnPing onPing, Pace pace) {
        this.in = new PushbackInputStream(in);
        this.onPing = onPing;
        this.pace = pace;
    }

    /** Responds to a ping. */
    interface OnPing {
        void pong(byte[] payload) throws IOException;
    }

    private record Frame(boolean isLast, int opcode, byte[] payload) {
        boolean isControl() {
            return opcode >= CLOSE;
        }
    }

    /** Handles the next frame if it is a control frame; returns whether it was. */
    boolean takeControl() throws IOException {
        if (nextOpcode() < CLOSE) {
            return false;
        }
        control(nextFrame(LARGEST_CONTROL));
        return true;
    }

    /** Waits for the next frame; a time-out loses nothing of it. */
    int nextOpcode() throws IOException {
        int first = octet();
        in.unread(first);
        return first & 0x0F;
    }

    /** Returns the next text message; a close throws ClosedByServerException. */
    String nextText() throws IOException {
        ByteArrayOutputStream message = new ByteArrayOutputStream();
        boolean started = false;
        while (true) {
            Frame frame = nextFrame(LARGEST_MESSAGE - message.size());
            if (frame.isControl()) {
                control(frame);
                continue;
            }
            if (frame.opcode == BINARY || started != (frame.opcode == CONTINUATION)) {
                throw new BadResponseException("a frame of a kind that can't come here: " + frame.opcode);
            }
            started = true;
            message.writeBytes(frame.payload);
            if (frame.isLast) {
                return text(message.toByteArray());
            }
        }
    }

    private void control(Frame frame) throws IOException {
        if (frame.opcode == PING) {
            onPing.pong(frame.payload);
        } else if (frame.opcode == CLOSE) {
            throw closed(frame.payload);
        }
    }

    private static ClosedByServerException closed(byte[] payload) throws BadResponseException {
        if (payload.length == 0) {
            return ClosedByServerException.withoutCode();
        }
        if (payload.length == 1) {
            throw new BadResponseException("a close with half a code");
        }
        String reason = text(ByteBuffer.wrap(payload, 2, payload.length - 2));
        return new ClosedByServerException(ByteBuffer.wrap(payload).getShort() & 0xFFFF, reason);
    }

    private Frame nextFrame(int largest) throws IOException {
        // Limits the time that a flood of pings, empty frames and empty messages can take.
        pace.step();
        int first = octet();
        int second = octet();
        int opcode = first & 0x0F;
        boolean isLast = (first & 0x80) != 0;
        boolean isKnownOpcode = opcode <= BINARY || opcode >= CLOSE && opcode <= PONG;
        if ((first & 0x70) != 0 || (second & 0x80) != 0 || !isKnownOpcode) {
            throw new BadResponseException("the data is not a frame of a server");
        }
        long length = length(second & 0x7F);
        if (opcode >= CLOSE && (length > LARGEST_CONTROL || !isLast)) {
            throw new BadResponseException("a control frame that is too long or a fragment");
        }
        if (length < 0 || length > largest) {
            throw new BadResponseException("a message of over " + LARGEST_MESSAGE + " bytes");
        }
        byte[] payload = in.readNBytes((int) length);
        if (payload.length < length) {
            throw lost();
        }
        return new Frame(isLast, opcode, payload);
    }

    private long length(int announced) throws IOException {
        int octets = announced == 126 ? 2 : announced == 127 ? 8 : 0;
        if (octets == 0) {
            return announced;
        }
        long length = 0;
        for (int i = 0; i < octets; i++) {
            length = length << 8 | octet();
        }
        return length;
    }

    private int octet() throws IOException {
        int octet = in.read();
        if (octet < 0) {
            throw lost();
        }
        return octet;
    }

    private static EOFException lost() {
        return new EOFException("the connection broke");
    }

    private static String text(byte[] utf8) throws BadResponseException {
        return text(ByteBuffer.wrap(utf8));
    }

    private static String text(ByteBuffer utf8) throws BadResponseException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
        } catch (CharacterCodingException notUtf8) {
            throw new BadResponseException("a message that is not UTF-8");
        }
    }
}
