import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { countsOf, versionsOf } from './facets'

const series = (group: string | null, ...totals: number[]) => ({ group, points: totals.map((total) => ({ total })) }) as unknown as Schemas['StatsSeries']

describe('countsOf', () => {
  it('adds up each group, the largest first, without the rest', () => {
    expect(countsOf([series('a', 1, 2), series('b', 9), series('called', 0), series(null, 50), series('', 3)])).toEqual([{ value: 'b', count: 9 }, { value: 'a', count: 3 }])
  })
})

describe('versionsOf', () => {
  it('names versions as the search takes them, without their key', () => {
    const of = (version: string | null, total: number) => ({ ...series(`report@${version}`, total), definition: { key: 'report', version } }) as Schemas['StatsSeries']
    expect(versionsOf([of('2', 4), of('draft', 1), of(null, 7)])).toEqual([{ value: '2', label: 'v2', count: 4 }, { value: 'draft', label: 'draft', count: 1 }])
  })
})
