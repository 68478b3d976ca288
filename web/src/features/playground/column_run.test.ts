// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'

import { newRun } from './column_run'

const RESULT = { rendered: 'Hi Ada', result: { provider: 'mock', model: 'mock-1', output: 'Hello there' }, messages: [], usage: {}, run_id: 'r1', cost_usd: 0 }
const REQUEST = { content: 'Hi', variables: {}, stream: true }
const encoder = new TextEncoder()

function answers(...chunks: string[]): void {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk))
      controller.close()
    },
  })
  vi.stubGlobal('fetch', vi.fn().mockResolvedValue(new Response(body, { headers: { 'content-type': 'text/event-stream' } })))
}

afterEach(() => vi.unstubAllGlobals())

describe('a run of a column', () => {
  it('gathers the pieces, however they are cut, and ends with the answer', async () => {
    answers('event: delta\ndata: {"te', 'xt": "Hel"}\n\nevent: delta\ndata: {"text": "lo"}\n\n', `event: result\ndata: ${JSON.stringify(RESULT)}\n\n`)
    const run = newRun()
    await run.start(REQUEST)
    expect(run.state).toBe('done')
    expect(run.text).toBe('Hello there')
    expect(run.answer?.run_id).toBe('r1')
    expect(run.firstTokenMs).not.toBeNull()
  })

  it('keeps what came before an error, with the sentence', async () => {
    answers('event: delta\ndata: {"text": "Hel"}\n\n', 'event: error\ndata: {"error": "provider mock: it broke off", "reason": "stream_cut_off", "rendered": "Hi"}\n\n')
    const run = newRun()
    await run.start(REQUEST)
    expect([run.state, run.text]).toEqual(['failed', 'Hel'])
    expect(run.failure).toMatchObject({ sentence: 'provider mock: it broke off', code: 'stream_cut_off', rendered: 'Hi' })
  })

  it('says so where the stream ends without a result', async () => {
    answers('event: delta\ndata: {"text": "Hel"}\n\n')
    const run = newRun()
    await run.start(REQUEST)
    expect([run.state, run.failure?.code]).toEqual(['failed', 'cut_off'])
  })

  it('says so where the server stops, and keeps what came', async () => {
    answers('event: delta\ndata: {"text": "Hel"}\n\n', 'event: stopping\ndata: {"reason": "the server is stopping; connect again"}\n\n')
    const run = newRun()
    await run.start(REQUEST)
    expect([run.state, run.text, run.failure?.code]).toEqual(['failed', 'Hel', 'stopping'])
  })

  it('shows the sentence, the reason and the rendered prompt of a refusal', async () => {
    const body = { error: 'provider mock: too many requests', code: 'provider_failed', reason: 'rate_limited', rendered: 'Hi' }
    vi.stubGlobal('fetch', vi.fn().mockResolvedValue(new Response(JSON.stringify(body), { status: 502, headers: { 'x-request-id': 'q1' } })))
    const run = newRun()
    await run.start(REQUEST)
    expect(run.failure).toEqual({ sentence: body.error, code: 'rate_limited', requestId: 'q1', rendered: 'Hi' })
  })

  it('is stopped by its user', async () => {
    vi.stubGlobal('fetch', (_path: string, { signal }: RequestInit) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))))
    const run = newRun()
    const going = run.start(REQUEST)
    expect(run.state).toBe('waiting')
    run.stop()
    await going
    expect([run.state, run.failure]).toEqual(['stopped', null])
  })
})
