import { checkedText } from "./arguments.js";

// Assigns variants of a rollout to subjects; `sdk/conformance/bucketing.json` has the cases.

/** The weights of a rollout's variants add up to this. */
export const BASIS_POINTS = 10_000;

/**
 * The bucket of a subject, 0 to 9999, always the same for one salt and subject; TypeError for text that has
 * no UTF-8.
 */
export function bucketOf(salt: string, subject: string): number {
  const hashed = `${checkedText("a salt", salt)}:${checkedText("a subject", subject)}`;
  // The product needs 46 bits, which a double holds exactly.
  return Math.floor((murmur3(new TextEncoder().encode(hashed)) * BASIS_POINTS) / 2 ** 32);
}

/** A random bucket for a call without a subject. */
export function randomBucket(): number {
  return Math.floor(Math.random() * BASIS_POINTS);
}

/** The index of the range that contains the bucket; the ranges are consecutive and have these weights. */
export function rangeOf(weights: readonly number[], bucket: number): number {
  let end = 0;
  return weights.findIndex((weight) => bucket < (end += weight));
}

/** MurmurHash3 x86, 32 bit, seed 0 (Austin Appleby, public domain); unsigned. */
export function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const aligned = bytes.length - (bytes.length % 4);
  let hash = 0;
  for (let at = 0; at < aligned; at += 4) {
    hash ^= scrambled(view.getInt32(at, true));
    hash = (Math.imul(rotated(hash, 13), 5) + 0xe6546b64) | 0;
  }
  if (aligned < bytes.length) hash ^= scrambled(lastBlock(bytes.subarray(aligned)));
  return finished(hash ^ bytes.length);
}

/** The last block, of up to three bytes, the lowest first. */
function lastBlock(bytes: Uint8Array): number {
  return bytes.reduce((block, byte, index) => block | (byte << (8 * index)), 0);
}

function scrambled(block: number): number {
  return Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function finished(mixed: number): number {
  let hash = mixed;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
