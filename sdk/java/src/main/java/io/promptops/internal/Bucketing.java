package io.promptops.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Assigns subjects to 10,000 buckets, equally in every SDK and on the server. */
public final class Bucketing {
    public static final int BUCKETS = 10_000;

    private Bucketing() {}

    /**
     * The bucket of a subject, from 0.
     *
     * @throws IllegalArgumentException for a text with a lone surrogate, which has no UTF-8
     */
    public static int bucket(String salt, String subject) {
        long hash = murmur3(utf8(salt + ":" + subject)) & 0xFFFF_FFFFL;
        return (int) (hash * BUCKETS >>> 32);
    }

    /** MurmurHash3 x86 32 bit, seed 0. Source: Austin Appleby, MurmurHash3.cpp (public domain). */
    public static int murmur3(byte[] data) {
        ByteBuffer blocks = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        int hash = 0;
        while (blocks.remaining() >= Integer.BYTES) {
            hash = Integer.rotateLeft(hash ^ scrambled(blocks.getInt()), 13) * 5 + 0xE6546B64;
        }
        int tail = 0;
        for (int shift = 0; blocks.hasRemaining(); shift += Byte.SIZE) {
            tail |= (blocks.get() & 0xFF) << shift;
        }
        hash ^= scrambled(tail) ^ data.length;
        hash = (hash ^ hash >>> 16) * 0x85EBCA6B;
        hash = (hash ^ hash >>> 13) * 0xC2B2AE35;
        return hash ^ hash >>> 16;
    }

    private static int scrambled(int block) {
        return Integer.rotateLeft(block * 0xCC9E2D51, 15) * 0x1B873593;
    }

    /**
     * The text's UTF-8.
     *
     * @throws IllegalArgumentException like bucket
     */
    public static byte[] utf8(String text) {
        try {
            ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] bytes = new byte[encoded.remaining()];
            encoded.get(bytes);
            return bytes;
        } catch (CharacterCodingException loneSurrogate) {
            throw new IllegalArgumentException("the text has half of a surrogate pair", loneSurrogate);
        }
    }
}
