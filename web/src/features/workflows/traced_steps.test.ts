import { describe, expect, it } from 'vitest'

import type { LiveStep } from '@/app/runs/run_events'

import { traced, tracedSteps } from './traced_steps'

const step = (name: string, more: Partial<LiveStep> = {}) => ({ name, type: 'render', step: 1, state: 'Completed', duration: 0.5, attempts: 1, output: 'x', error: null, failures: [], items: null, ...more }) as LiveStep

describe('a step of a run', () => {
  it('runs, was done, skipped, taken from the cache, or failed', () => {
    expect(['Running', 'Completed', 'Skipped', 'Cached'].map((state) => traced(step('a', { state })).state)).toEqual(['running', 'done', 'skipped', 'cached'])
    expect(traced(step('a', { state: 'Failed', attempts: 2, output: null, error: 'late', failures: ['slow', 'late'] }))).toEqual({ name: 'a', type: 'render', state: 'failed', ms: 500, text: '', error: 'late', attempts: 2, failures: ['slow', 'late'], items: null })
    expect(traced(step('a', { state: 'Running' })).ms).toBeNull()
  })

  it('counts the items of a map', () => {
    expect(traced(step('a', { items: { total: 3, completed: 2, failed: 1 } })).items).toMatchObject({ total: 3, completed: 2 })
  })
})

it('stands at the place of the definition', () => {
  expect(tracedSteps([step('late', { step: 3 }), step('early')]).map((one) => one?.name)).toEqual(['early', undefined, 'late'])
})
