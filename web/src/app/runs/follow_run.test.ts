// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/client'

import { followRun, type Following } from './follow_run'
import { newLiveRun } from './run_events'

const event = (name: string, data: object, id = '') => `${id ? `id: ${id}\n` : ''}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
const start = (): Following => ({ live: newLiveRun(), lastEventId: '', isConnected: false })
const run = (status: string) => ({ id: 'r', status, steps: [] })

/** Answers that the platform gives, one after the other, and which event each request came after. */
function answering(...answers: (string | number)[]): string[] {
  const after: string[] = []
  vi.stubGlobal('fetch', (_path: string, request: RequestInit) => {
    after.push(new Headers(request.headers).get('last-event-id') ?? '')
    const answer = answers.shift()
    if (answer === undefined) return Promise.reject(new TypeError('network'))
    return Promise.resolve(typeof answer === 'number' ? new Response(answer === 204 ? null : '{"error": "no"}', { status: answer }) : new Response(answer))
  })
  return after
}
afterEach(() => vi.unstubAllGlobals())

describe('following a run', () => {
  it('goes on after the last event over any number of connections, until the end', async () => {
    const following = start()
    const after = answering(event('run', run('running'), 'f-0.0') + event('step_started', { step: 1, name: 'ask', start: 'x' }, 'f-1.0'), ': still here\n\n' + event('stopping', {}), event('end', run('ok')))
    await followRun('r', following, new AbortController().signal)
    expect(after).toEqual(['', 'f-1.0', 'f-1.0'])
    expect(following.live.run?.status).toBe('ok')
    expect(following.isConnected).toBe(false)
  })

  it('ends where nothing follows any more', async () => {
    const after = answering(204)
    await followRun('r', { ...start(), lastEventId: 'f-3.0' }, new AbortController().signal)
    expect(after).toEqual(['f-3.0'])
  })

  it('waits out a server that is away or starts', async () => {
    const following = start()
    const after = answering(503, event('end', run('ok')))
    await followRun('r', following, new AbortController().signal)
    expect(after).toHaveLength(2)
  })

  it('throws where there is no such run', async () => {
    answering(404)
    await expect(followRun('r', start(), new AbortController().signal)).rejects.toThrow(ApiError)
  })

  it('stops when nobody looks any more', async () => {
    const abort = new AbortController()
    answering()
    const following = followRun('r', start(), abort.signal)
    abort.abort()
    await expect(following).resolves.toBeUndefined()
  })
})
