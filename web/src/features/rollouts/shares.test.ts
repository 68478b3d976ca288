import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { bucketOf, hashOf } from './bucketing'
import { evenWeights, indexAt, movedRanges, movesBetween, problemOf, withBoundary, withoutVariant, withVariant, withWeight, type Variant } from './shares'

interface Case {
  name: string
  salt: string
  subject: string
  hash: number
  bucket: number
  chosen: Record<string, string>
}
const conformance = JSON.parse(readFileSync('../sdk/conformance/bucketing.json', 'utf8')) as { variant_lists: Record<string, [string, number][]>; cases: Case[] }

const variants = (...weights: number[]): Variant[] => weights.map((weight, index) => ({ name: `abcd`[index] as string, version: `v${index + 1}`, weight }))

describe('a subject', () => {
  it.each(conformance.cases)('gets the bucket and variant that the SDKs give it: $name', ({ salt, subject, hash, bucket, chosen }) => {
    expect(hashOf(salt, subject)).toBe(hash)
    expect(bucketOf(hash)).toBe(bucket)
    for (const [list, name] of Object.entries(chosen)) {
      const entries = conformance.variant_lists[list] as [string, number][]
      expect(entries[indexAt(entries.map(([, weight]) => weight), bucket)]?.[0]).toBe(name)
    }
  })
})

describe('shares', () => {
  it('move at one boundary only, which stays between its neighbours', () => {
    expect(withBoundary([7500, 2000, 500], 0, 7000)).toEqual([7000, 2500, 500])
    expect(withBoundary([7500, 2000, 500], 0, 99_999)).toEqual([9500, 0, 500])
    expect(withBoundary([7500, 2000, 500], 1, -5)).toEqual([7500, 0, 2500])
  })

  it('are set exactly, at the cost of one neighbour', () => {
    expect(withWeight([7500, 2000, 500], 0, 7001)).toEqual([7001, 2499, 500])
    expect(withWeight([7500, 2000, 500], 2, 0)).toEqual([7500, 2500, 0])
    expect(withWeight([5000, 5000], 0, 20_000)).toEqual([10_000, 0])
  })

  it('are even to one basis point, and always whole', () => {
    expect(evenWeights(3)).toEqual([3334, 3333, 3333])
    for (let count = 2; count <= 20; count++) expect(evenWeights(count).reduce((sum, one) => sum + one, 0)).toBe(10_000)
  })

  it('stay whole when a variant comes or goes', () => {
    const three = withVariant(variants(9000, 1000), 'v9')
    expect(three.at(-1)).toEqual({ name: 'control', version: 'v9', weight: 0 })
    expect(withoutVariant(variants(7000, 2000, 1000), 0).map((one) => one.weight)).toEqual([9000, 1000])
    expect(withoutVariant(variants(7000, 2000, 1000), 2).map((one) => one.weight)).toEqual([7000, 3000])
  })
})

describe('what a change moves', () => {
  it('is counted by the two variants', () => {
    expect(movesBetween(variants(7500, 2000, 500), variants(7000, 2500, 500))).toEqual([{ from: 'a', to: 'b', count: 500 }])
    expect(movedRanges(variants(7500, 2000, 500), variants(7000, 2500, 500))).toEqual([{ from: 7000, to: 7500 }])
    expect(movesBetween(variants(5000, 5000), variants(5000, 5000))).toEqual([])
  })

  it('joins neighbouring stretches', () => {
    expect(movedRanges(variants(2000, 8000), variants(0, 0, 10_000))).toEqual([{ from: 0, to: 10_000 }])
  })
})

it('names what keeps variants from being saved', () => {
  expect(problemOf(variants(5000, 5000))).toBeNull()
  expect(problemOf([{ name: 'a', version: 'v1', weight: 0 }, { name: 'a', version: 'v2', weight: 10_000 }])).toBe('names')
  expect(problemOf([{ name: ' ', version: 'v1', weight: 0 }])).toBe('empty')
  expect(problemOf([{ name: 'a', version: '', weight: 10_000 }])).toBe('versions')
})
