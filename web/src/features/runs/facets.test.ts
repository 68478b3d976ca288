import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { countsOf } from './facets'

const series = (group: string | null, ...totals: number[]) => ({ group, points: totals.map((total) => ({ total })) }) as unknown as Schemas['StatsSeries']

describe('countsOf', () => {
  it('adds up each group, the largest first, without the rest', () => {
    expect(countsOf([series('a', 1, 2), series('b', 9), series('called', 0), series(null, 50), series('', 3)])).toEqual([{ value: 'b', count: 9 }, { value: 'a', count: 3 }])
  })
})
