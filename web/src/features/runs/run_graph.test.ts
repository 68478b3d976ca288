import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { pendingSteps, runGraph } from './run_graph'

const traced = (name: string, state = 'Completed', error: string | null = null) => ({ name, state, error, attempts: 1 }) as Schemas['RunStep']

describe('the graph of a run', () => {
  const steps = [{ name: 'ask', needs: [] }, { name: 'left', needs: ['ask'] }, { name: 'right', needs: ['ask'] }, { name: 'join', needs: ['left', 'right'] }]

  it('finds the trace of each step by its name, in whatever order they ended', () => {
    const graph = runGraph(steps, [traced('ask'), traced('right', 'Cached'), traced('left', 'Failed', 'too slow')])
    expect(graph?.nodes.map(({ state, index }) => [state, index])).toEqual([['done', 0], ['failed', 2], ['cached', 1], ['waiting', -1]])
    expect(graph?.links).toHaveLength(4)
  })

  it('shows what was skipped or runs', () => {
    expect(runGraph(steps, [traced('ask'), traced('left', 'Skipped'), traced('right', 'running')])?.nodes.map(({ state }) => state)).toEqual(['done', 'skipped', 'running', 'waiting'])
  })

  it('goes by the order of a plain list', () => {
    const list = [{ type: 'render' }, { type: 'model' }]
    expect(runGraph(list, [traced('')])?.nodes.map(({ state }) => state)).toEqual(['done', 'waiting'])
  })

  it('is not drawn with the trace of other steps', () => {
    expect(runGraph(steps, [traced('ask'), traced('other')])).toBeNull()
    expect(runGraph([{ name: 'a' }], [traced('a'), traced('b')])).toBeNull()
    expect(runGraph([{ name: 'a' }], [traced('b')])).toBeNull()
  })

  it('knows what has not begun, and what that still needs', () => {
    expect(pendingSteps(steps, [traced('ask'), traced('left', 'Running')]).map(({ place, needs }) => [place, needs])).toEqual([[2, []], [3, ['left', 'right']]])
    expect(pendingSteps(steps, [traced('other')])).toEqual([])
  })
})
