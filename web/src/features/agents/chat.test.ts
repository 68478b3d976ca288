// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'

import { api } from '@/api/client'

import { newConversationId, newTurn } from './chat'

const encoder = new TextEncoder()
const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
const RUN = { id: 'r1', steps: [{ name: 'model', cost_usd: 0.1 }] }

function answers(events: string[], status = 200): void {
  const body = new ReadableStream({
    start(controller) {
      events.forEach((one) => controller.enqueue(encoder.encode(one)))
      controller.close()
    },
  })
  vi.stubGlobal('fetch', vi.fn().mockResolvedValue(new Response(body, { status })))
  vi.spyOn(api, 'GET').mockResolvedValue({ data: { data: RUN } } as never)
}

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe('a turn', () => {
  it('shows texts and calls of tools in their order, and the run at the end', async () => {
    answers([
      event('start', { run_id: 'r1' }), event('tool_call', { step: 2, name: 'tool: forecast', arguments: { city: 'Oslo' } }), event('tool_result', { step: 2, name: 'forecast', output: '{"rain": true}' }),
      event('delta', { step: 3, text: 'It ' }), event('delta', { step: 3, text: 'rains.' }), event('result', { rendered: 'Hi', run_id: 'r1', result: { output: 'It rains.' } }),
    ])
    const turn = newTurn({ input: 'Rain?', variables: {}, conversationId: 'c1' })
    await turn.follow('a1')
    expect(turn.state).toBe('done')
    expect(turn.activities).toEqual([
      { kind: 'tool', step: 2, name: 'forecast', arguments: { city: 'Oslo' }, output: '{"rain": true}', error: null, isDone: true },
      { kind: 'text', step: 3, text: 'It rains.', attempt: 1 },
    ])
    expect(turn.run).toEqual(RUN)
  })

  it('keeps the sentence and the rendered prompt of a run that fails', async () => {
    answers([event('start', { run_id: 'r1' }), event('error', { error: 'step 1 (model): no', rendered: 'Hi', run_id: 'r1' })])
    const turn = newTurn({ variables: {}, conversationId: 'c1' })
    await turn.follow('a1')
    expect([turn.state, turn.error, turn.rendered]).toEqual(['failed', 'step 1 (model): no', 'Hi'])
  })

  it('says what keeps a run from starting', async () => {
    answers([JSON.stringify({ error: 'another run has the conversation', code: 'conflict' })], 409)
    const turn = newTurn({ variables: {}, conversationId: 'c1' })
    await turn.follow('a1')
    expect([turn.state, turn.error, turn.run]).toEqual(['failed', 'another run has the conversation', null])
  })

  it('says so where the server stops while it answers', async () => {
    answers([event('start', { run_id: 'r1' }), event('stopping', { reason: 'the server is stopping; connect again' })])
    const turn = newTurn({ variables: {}, conversationId: 'c1' })
    await turn.follow('a1')
    expect(turn.state).toBe('stopping')
  })

  it('is left where the stream breaks off: the run goes on', async () => {
    answers([event('start', { run_id: 'r1' })])
    const turn = newTurn({ variables: {}, conversationId: 'c1' })
    await turn.follow('a1')
    expect(turn.state).toBe('left')
  })
})

it('gives each conversation an id of its own', () => {
  expect(newConversationId()).not.toBe(newConversationId())
})
