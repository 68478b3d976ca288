import { ApiError, followed } from '@/api/client'
import { serverEvents } from '@/api/events'

import { takeEvent, type LiveRun } from './run_events'

const SHORTEST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000
/** Refusals that may end by themselves: no session until the next login, or a server that starts. */
const PASSING = [0, 401, 429, 502, 503, 504]

export interface Following {
  live: LiveRun
  /** The id of the newest event that has one; the events go on after it. */
  lastEventId: string
  /** Whether the events come at this moment. */
  isConnected: boolean
}

/**
 * Takes the events of a run in until it has ended, over any number of connections. Throws an
 * ApiError where there is no such run, or nothing of it may be read.
 */
export async function followRun(runId: string, following: Following, signal: AbortSignal): Promise<void> {
  let pause = SHORTEST_PAUSE_MS
  while (!signal.aborted) {
    try {
      const response = await followed(`/api/runs/${encodeURIComponent(runId)}/events`, following.lastEventId, signal)
      // Nothing follows the last event.
      if (response.status === 204) return
      for await (const { event, data, id } of serverEvents(response)) {
        following.isConnected = true
        pause = SHORTEST_PAUSE_MS
        takeEvent(following.live, event, JSON.parse(data) as Record<string, unknown>)
        if (id) following.lastEventId = id
        if (event === 'end') return
      }
    } catch (failure) {
      if (!signal.aborted && failure instanceof ApiError && !PASSING.includes(failure.status)) throw failure
    } finally {
      following.isConnected = false
    }
    await delay(pause, signal)
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = window.setTimeout(resolve, ms)
    signal.addEventListener('abort', () => { window.clearTimeout(timer); resolve() }, { once: true })
  })
}
