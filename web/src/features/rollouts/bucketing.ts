/** All buckets, and all weights of a rollout together. */
export const BASIS_POINTS = 10_000

const C1 = 0xcc9e2d51
const C2 = 0x1b873593

/** MurmurHash3, x86, 32 bit, seed 0, as Austin Appleby published it; the platform and all SDKs use it. */
export function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = bytes.length - (bytes.length % 4)
  let hash = 0
  for (let at = 0; at < whole; at += 4) {
    hash ^= mixed(view.getUint32(at, true))
    hash = (Math.imul(rotated(hash, 13), 5) + 0xe6546b64) | 0
  }
  let tail = 0
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | (bytes[at] as number)
  if (whole < bytes.length) hash ^= mixed(tail)
  return finished(hash ^ bytes.length)
}

function mixed(word: number): number {
  return Math.imul(rotated(Math.imul(word, C1), 15), C2)
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}

function finished(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** The hash of `salt:subject` in UTF-8. */
export function hashOf(salt: string, subject: string): number {
  return murmur3(new TextEncoder().encode(`${salt}:${subject}`))
}

/** The subject's place, 0 to 9,999: the hash scaled, without the bias that a modulo would have. */
export function bucketOf(hash: number): number {
  return Math.floor((hash * BASIS_POINTS) / 2 ** 32)
}
