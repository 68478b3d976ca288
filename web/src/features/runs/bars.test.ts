import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { barsOf } from './bars'

const step = (name: string, after: number, seconds: number, error: string | null = null) =>
  ({ name, type: 'model', start: new Date(after).toISOString(), duration: seconds, attempts: 1, state: 'completed', error }) as Schemas['RunStep']
const run = (steps: Schemas['RunStep'][], more: Partial<Schemas['RunDetail']> = {}) =>
  ({ created_at: new Date(0).toISOString(), latency_ms: 4000, status: 'ok', source: 'workflow', ref_key: 'triage', steps, ...more }) as Schemas['RunDetail']

describe('the bars of a run', () => {
  it('are shares of its whole time', () => {
    const { rows, ticks } = barsOf(run([step('a', 0, 1), step('b', 1000, 3, 'no')]))
    expect(rows.map(({ from, width }) => [from, width])).toEqual([[0, 1], [0, 0.25], [0.25, 0.75]])
    expect(rows[2]?.isFailed).toBe(true)
    expect(ticks).toEqual([0, 1000, 2000, 3000, 4000])
  })

  it('fit in where a clock was off or the run goes on', () => {
    const { rows } = barsOf(run([step('a', -500, 1), step('b', 3000, 9)], { status: 'running' }), 2000)
    expect(rows.every(({ from, width }) => from >= 0 && from + width <= 1.0001)).toBe(true)
    expect(barsOf(run([], { latency_ms: 0 })).rows).toHaveLength(1)
  })
})
