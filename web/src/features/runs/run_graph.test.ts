import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { pendingSteps, runGraph } from './run_graph'

const traced = (step: number, name: string, state = 'Completed', error: string | null = null) => ({ step, name, state, error, attempts: 1 }) as Schemas['RunStep']

describe('the graph of a run', () => {
  const steps = [{ name: 'ask', needs: [] }, { name: 'left', needs: ['ask'] }, { name: 'right', needs: ['ask'] }, { name: 'join', needs: ['left', 'right'] }]

  it('finds the trace of each step by its number, in whatever order they ended', () => {
    const graph = runGraph(steps, [traced(1, 'ask'), traced(3, 'right', 'Cached'), traced(2, 'left', 'Failed', 'too slow')])
    expect(graph?.nodes.map(({ state, index }) => [state, index])).toEqual([['done', 0], ['failed', 2], ['cached', 1], ['waiting', -1]])
    expect(graph?.links).toHaveLength(4)
  })

  it('shows what was skipped or runs', () => {
    expect(runGraph(steps, [traced(1, 'ask'), traced(2, 'left', 'Skipped'), traced(3, 'right', 'running')])?.nodes.map(({ state }) => state)).toEqual(['done', 'skipped', 'running', 'waiting'])
  })

  it('says of a run that has ended which steps it did not reach', () => {
    const trace = [traced(1, 'ask', 'Failed', 'too slow'), traced(2, 'left', 'Skipped')]
    expect(runGraph(steps, trace, true)?.nodes.map(({ state }) => state)).toEqual(['failed', 'skipped', 'unreached', 'unreached'])
  })

  it('needs no names', () => {
    const list = [{ type: 'render' }, { type: 'model' }]
    expect(runGraph(list, [traced(1, '')])?.nodes.map(({ state }) => state)).toEqual(['done', 'waiting'])
  })

  it('is not drawn with the trace of other steps', () => {
    expect(runGraph(steps, [traced(1, 'ask'), traced(2, 'other')])).toBeNull()
    expect(runGraph([{ name: 'a' }], [traced(1, 'b')])).toBeNull()
  })

  it('leaves the steps of inner runs out', () => {
    expect(runGraph([{ name: 'agent' }], [traced(1, 'agent'), traced(2, 'model')])?.nodes.map(({ state, index }) => [state, index])).toEqual([['done', 0]])
  })

  it('knows what has not begun, and what that still needs', () => {
    expect(pendingSteps(steps, [traced(1, 'ask'), traced(2, 'left', 'Running')]).map(({ place, needs }) => [place, needs])).toEqual([[2, []], [3, ['left', 'right']]])
    expect(pendingSteps(steps, [traced(1, 'other')])).toEqual([])
  })
})
