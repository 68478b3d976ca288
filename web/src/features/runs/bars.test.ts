import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { barsOf, roundTicks } from './bars'

const step = (name: string, after: number, seconds: number, error: string | null = null) =>
  ({ name, type: 'model', start: new Date(after).toISOString(), duration: seconds, attempts: 1, state: 'Completed', error, reused: false, items: null }) as Schemas['RunStep']
const run = (steps: Schemas['RunStep'][], more: Partial<Schemas['RunDetail']> = {}) =>
  ({ created_at: new Date(0).toISOString(), latency_ms: 4000, status: 'ok', state: 'completed', waited_ms: 0, source: 'workflow', ref_key: 'triage', steps, ...more }) as Schemas['RunDetail']

describe('the bars of a run', () => {
  it('are shares of its whole time', () => {
    const { rows, ticks, whole } = barsOf(run([step('a', 0, 1), step('b', 1000, 3, 'no')]))
    expect(rows.map(({ from, width }) => [from, width])).toEqual([[0, 1], [0, 0.25], [0.25, 0.75]])
    expect(rows.map(({ isFailed }) => isFailed)).toEqual([false, false, true])
    expect([whole, ticks]).toEqual([4000, [0, 1000, 2000, 3000, 4000]])
  })

  it('show what the run waited for its turn', () => {
    const [total] = barsOf(run([step('a', 1200, 2)], { waited_ms: 1000 })).rows
    expect([total?.waited, total?.from, total?.width]).toEqual([0.25, 0.25, 0.75])
    const [queued] = barsOf(run([], { status: 'running', state: 'queued', waited_ms: null, latency_ms: 0 }), 500).rows
    expect([queued?.waited, queued?.width, queued?.isRunning]).toEqual([1, 0, false])
  })

  it('grow while it runs', () => {
    const { rows, whole } = barsOf(run([step('a', 0, 1), { ...step('b', 1000, 0), state: 'Running' }], { status: 'running', state: 'running', latency_ms: 0 }), 2000)
    expect([whole, rows[0]?.isRunning, rows[1]?.width, rows[2]?.width]).toEqual([2000, true, 0.5, 0.5])
  })

  it('fit where a step ends after the run', () => {
    expect(barsOf(run([step('a', 3000, 2)])).rows.every(({ from, width }) => from + width <= 1)).toBe(true)
  })

  it('are there for a run without time and steps', () => {
    const { rows } = barsOf(run([], { latency_ms: 0 }))
    expect(rows).toHaveLength(1)
    expect(rows[0]?.width).toBe(0)
  })
})

describe('roundTicks', () => {
  it('are round and few', () => {
    expect(roundTicks(4000)).toEqual([0, 1000, 2000, 3000, 4000])
    expect(roundTicks(730)).toEqual([0, 200, 400, 600])
    expect(roundTicks(12_040)).toEqual([0, 2000, 4000, 6000, 8000, 10_000, 12_000])
    for (const whole of [1, 7, 45, 1234, 98_765, 3_600_000]) {
      const ticks = roundTicks(whole)
      expect(ticks.length).toBeGreaterThan(1)
      expect(ticks.length).toBeLessThanOrEqual(8)
      expect(ticks.at(-1)).toBeLessThanOrEqual(whole)
    }
  })
})
