import { expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { hoursOf, sinceHours } from './figures'

it('a day begins 23 hours before this one', () => {
  expect(sinceHours(24, Date.parse('2026-03-02T22:40:00Z')).toISOString()).toBe('2026-03-01T23:00:00.000Z')
})

it('the calls of all versions are added up hour by hour', () => {
  const at = (start: string, calls: number) => ({ start, calls })
  const series = [{ points: [at('2026-03-02T00:00:00Z', 2), at('2026-03-02T02:00:00Z', 5)] }, { points: [at('2026-03-02T02:00:00Z', 1), at('2026-03-02T09:00:00Z', 9)] }]
  expect(hoursOf({ since: '2026-03-02T00:00:00Z', series } as unknown as Schemas['RunStats'], 3)).toEqual([2, 0, 6])
})
