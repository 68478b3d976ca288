import { bucketOf, hashOf } from './bucketing'
import { indexAt, rangesOf, type Range, type Variant } from './shares'

export interface Place {
  variant: Variant
  index: number
  range: Range
}

export interface Assignment {
  hash: number
  bucket: number
  now: Place
  /** With the shares that are saved; null where none are. */
  before: Place | null
  total: number
}

/** What a subject gets with these variants, and what it got with the saved ones; null without a subject. */
export function assignmentOf(subject: string, now: { salt: string; variants: readonly Variant[] }, saved: { salt: string; variants: readonly Variant[] }): Assignment | null {
  if (!subject || !now.variants.length) return null
  const hash = hashOf(now.salt, subject)
  const bucket = bucketOf(hash)
  const place = placeAt(now.variants, bucket)
  if (!place) return null
  return { hash, bucket, now: place, before: placeAt(saved.variants, bucketOf(hashOf(saved.salt, subject))), total: now.variants.length }
}

function placeAt(variants: readonly Variant[], bucket: number): Place | null {
  const weights = variants.map((variant) => variant.weight)
  const index = indexAt(weights, bucket)
  return index < 0 ? null : { variant: variants[index] as Variant, index, range: rangesOf(weights)[index] as Range }
}
