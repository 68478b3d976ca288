// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { formatMeasure, formatTick, valueOf } from './measures'
import { changeOf, startsOf, todayOf, valuesAt, windowOf } from './ranges'

const NOW = new Date('2026-03-14T09:26:53Z')
const HOUR = 3_600_000

function point(start: string, fields: Partial<Schemas['StatsPoint']> = {}): Schemas['StatsPoint'] {
  return { start, total: 4, ok: 3, error: 1, calls: 5, prompt_tokens: 10, cached_tokens: 0, output_tokens: 2, usage_estimated: 0, cost_usd: 0.5, cost_unknown: 0, latency_ms: { p50: 100, p95: 900, p99: 1000 }, ...fields }
}

describe('the time of figures', () => {
  it('ends with the hour that has begun, and lies beside the day before', () => {
    const { since, until, interval, compareDays } = windowOf('24h', NOW)
    expect([since.toISOString(), until.toISOString(), interval, compareDays]).toEqual(['2026-03-13T10:00:00.000Z', '2026-03-14T10:00:00.000Z', 'hour', 1])
  })

  it.each([['7d', 7, 'hour', 168], ['30d', 30, 'day', 30]] as const)('covers whole days of UTC in %s, so that groups and chart agree', (range, days, interval, points) => {
    const window = windowOf(range, NOW)
    expect(window.until.toISOString()).toBe('2026-03-15T00:00:00.000Z')
    expect(window.until.getTime() - window.since.getTime()).toBe(days * 24 * HOUR)
    expect(window.compareDays).toBe(days)
    expect(startsOf(window.since, window.until, interval)).toHaveLength(points)
  })

  it('is the own day in the tiles, compared up to the last whole hour', () => {
    const { midnight, tomorrow, wholeUntil } = todayOf(NOW)
    expect(tomorrow.getTime() - midnight.getTime()).toBe(24 * HOUR)
    expect(wholeUntil.toISOString()).toBe('2026-03-14T09:00:00.000Z')
    expect(midnight.getTime()).toBeLessThanOrEqual(NOW.getTime())
  })
})

describe('values over time', () => {
  const starts = startsOf(new Date('2026-03-14T08:00:00Z'), new Date('2026-03-14T11:00:00Z'), 'hour')

  it('are 0 in a sum without runs, and not known where there is no run to measure', () => {
    const points = [point('2026-03-14T08:00:00Z')]
    expect(valuesAt(points, starts, 'calls')).toEqual([5, 0, 0])
    expect(valuesAt(points, starts, 'p95')).toEqual([900, null, null])
    expect(valuesAt(points, starts, 'errors')).toEqual([0.25, null, null])
  })

  it('are not known of hours that have not begun', () => {
    expect(valuesAt([], starts, 'cost', { now: NOW.getTime() })).toEqual([0, 0, null])
  })

  it('are laid over a later time', () => {
    expect(valuesAt([point('2026-03-07T09:00:00Z')], starts, 'tokens', { shift: 7 * 24 * HOUR })).toEqual([0, 12, 0])
  })
})

describe('figures', () => {
  it('have no share of errors without a run', () => {
    expect(valueOf(point('2026-03-14T08:00:00Z', { total: 0, error: 0 }), 'errors')).toBeNull()
  })

  it('change by a share of what was before, where there was something', () => {
    expect(changeOf(110, 100)).toBeCloseTo(0.1)
    expect(changeOf(1, 0)).toBeNull()
    expect(changeOf(null, 3)).toBeNull()
  })

  it.each([['cost', 0.0421, '$0.042'], ['p95', 2310, '2.3 s'], ['p50', 90, '90 ms'], ['errors', 0.5, '50 %'], ['tokens', 12_000, '12K']] as const)('are short beside a chart: %s', (measure, value, text) => {
    expect(formatTick(measure, value)).toBe(text)
  })

  it('show a dash for what is not known', () => {
    expect(formatMeasure('p99', null)).toBe('–')
  })
})
