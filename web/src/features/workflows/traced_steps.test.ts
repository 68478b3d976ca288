import { describe, expect, it } from 'vitest'

import type { LiveStep } from '@/app/runs/run_events'

import { traced, tracedSteps } from './traced_steps'

const step = (name: string, more: Partial<LiveStep> = {}) => ({ name, type: 'render', index: null, state: 'Completed', duration: 0.5, attempts: 1, output: 'x', error: null, failures: [], items: null, ...more }) as LiveStep
const places = (steps: LiveStep[], planned: object[]) => tracedSteps(steps, planned as Record<string, unknown>[]).map((one) => one?.name)

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

describe('the trace by the places of the definition', () => {
  it('goes by the numbers of the steps while they are known', () => {
    expect(places([step('late', { index: 3 }), step('early', { index: 1 })], [])).toEqual(['early', undefined, 'late'])
  })

  it('goes by their names in the log', () => {
    const planned = [{ name: 'ask', needs: [] }, { name: 'left', needs: ['ask'] }, { name: 'right', needs: ['ask'] }]
    expect(places([step('ask'), step('right')], planned)).toEqual(['ask', undefined, 'right'])
  })

  it('goes by their order where names are absent or the same', () => {
    expect(places([step(''), step('')], [{ type: 'render' }, { type: 'render' }])).toEqual(['', ''])
    expect(places([step('a'), step('a')], [{ name: 'a' }, { name: 'a' }])).toEqual(['a', 'a'])
  })
})
