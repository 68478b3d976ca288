import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { isUnderWay, newLiveRun, stepsOf, takeEvent, type LiveRun } from './run_events'

type Detail = Partial<Schemas['RunDetail']>
const START = '2026-11-30T10:00:00.000000Z'
const LATER = '2026-11-30T10:00:01.000000Z'
const logged = (step: number, name: string, start = START, more: object = {}) => ({ step, name, type: 'render', state: 'Completed', start, duration: 1, output: name, ...more }) as Schemas['RunStep']
const take = (live: LiveRun, ...events: [string, object][]) => events.forEach(([name, data]) => takeEvent(live, name, data as Record<string, unknown>))
const opened = (detail: Detail = {}): LiveRun => {
  const live = newLiveRun()
  take(live, ['run', { id: 'r', status: 'running', state: 'running', steps: [], ...detail }])
  return live
}
const shown = (live: LiveRun) => stepsOf(live).map(({ name, state, output }) => `${name} ${state} ${output}`)

describe('the events of a run', () => {
  it('let steps appear, their text stream and their trace take its place', () => {
    const live = opened()
    take(live, ['step_started', { step: 1, name: 'ask', type: 'model', start: START }], ['delta', { step: 1, text: 'Dear ' }], ['delta', { step: 1, text: 'Ada' }])
    expect(shown(live)).toEqual(['ask Running Dear Ada'])
    take(live, ['step', { step: 1, name: 'ask', type: 'model', state: 'Completed', start: START, output: 'Dear Ada!', duration: 2 }])
    expect(shown(live)).toEqual(['ask Completed Dear Ada!'])
    // Text of a step that has ended, as after a reconnect.
    take(live, ['delta', { step: 1, text: 'x' }])
    expect(shown(live)).toEqual(['ask Completed Dear Ada!'])
  })

  it('replace the text of an answer that was asked for again', () => {
    const live = opened()
    take(live, ['step_started', { step: 1, name: 'ask', type: 'model', start: START }], ['delta', { step: 1, text: '{"a"' }], ['delta', { step: 1, text: '{"b":', attempt: 2 }], ['delta', { step: 1, text: ' 1}', attempt: 2 }])
    expect(shown(live)).toEqual(['ask Running {"b": 1}'])
  })

  it('may tell again of what the log has', () => {
    const live = opened({ steps: [logged(1, 'one'), logged(3, 'three', LATER)] })
    take(live, ['step', { step: 1, name: 'one', type: 'render', state: 'Completed', start: START, output: 'one' }], ['step_started', { step: 2, name: 'two', type: 'model', start: START }], ['step', { step: 3, name: 'three', state: 'Completed', start: LATER, output: 'three' }])
    expect(shown(live)).toEqual(['one Completed one', 'two Running null', 'three Completed three'])
  })

  it('keep steps of one name apart by their numbers', () => {
    const live = opened({ steps: [logged(1, 'same')] })
    take(live, ['step_started', { step: 2, name: 'same', type: 'model', start: LATER }])
    expect(stepsOf(live).map(({ state }) => state)).toEqual(['Completed', 'Running'])
  })

  it('show a step that an attempt after a crash begins again', () => {
    const live = opened()
    take(live, ['step_started', { step: 1, name: 'ask', type: 'model', start: START }], ['delta', { step: 1, text: 'Dear' }], ['state', { state: 'queued', attempt: 2 }], ['step_started', { step: 1, name: 'ask', type: 'model', start: LATER }], ['delta', { step: 1, text: 'Hello' }])
    expect(shown(live)).toEqual(['ask Running Hello'])
    expect(live.run?.attempt).toBe(2)
  })

  it('show a step of the log that is begun again once more', () => {
    const live = opened({ steps: [logged(1, 'ask')] })
    take(live, ['step_started', { step: 1, name: 'ask', type: 'model', start: LATER }])
    expect(shown(live)).toEqual(['ask Running null'])
  })

  it('show tools with what they were asked and what they brought', () => {
    const live = opened()
    take(live, ['step_started', { step: 2, name: 'tool: forecast', type: 'tool', start: START }], ['tool_call', { step: 2, name: 'tool: forecast', arguments: { city: 'Porto' } }])
    expect(stepsOf(live)[0]).toMatchObject({ input: '{"city":"Porto"}', state: 'Running', start: START })
    take(live, ['tool_result', { step: 2, name: 'tool: forecast', output: 'rain', error: null }])
    expect(stepsOf(live)[0]).toMatchObject({ output: 'rain', error: null })
  })

  it('say when the beginning of a text was not kept', () => {
    const live = opened()
    take(live, ['step_started', { step: 1, name: 'ask', type: 'model', start: START }], ['skipped', { step: 1 }], ['delta', { step: 1, text: 'end' }])
    expect(stepsOf(live)[0]).toMatchObject({ isCut: true, output: 'end' })
  })

  it('end with the run as the log has it', () => {
    const live = opened()
    take(live, ['step_started', { step: 1, name: 'ask', type: 'model', start: START }], ['end', { id: 'r', status: 'error', state: 'cancelled', cancelled_by: 'ada', steps: [logged(1, 'ask', START, { state: 'Cancelled' })] }])
    expect(shown(live)).toEqual(['ask Cancelled ask'])
    expect([isUnderWay(live.run), live.run?.cancelled_by]).toEqual([false, 'ada'])
  })

  it('say when its turn came', () => {
    const live = opened({ state: 'queued', waited_ms: null, created_at: '2026-01-01T00:00:00Z' })
    take(live, ['state', { state: 'running', status: 'running' }])
    expect(live.run?.waited_ms).toBeGreaterThan(0)
    take(live, ['run', { ...live.run, waited_ms: 7 }], ['state', { state: 'running', attempt: 2 }])
    expect(live.run?.waited_ms).toBe(7)
  })

  it('say that the server stops, until the next ones come', () => {
    const live = opened()
    take(live, ['stopping', { reason: 'x' }])
    expect(live.isStopping).toBe(true)
    take(live, ['state', { state: 'queued' }])
    expect([live.isStopping, live.run?.state]).toEqual([false, 'queued'])
  })
})
