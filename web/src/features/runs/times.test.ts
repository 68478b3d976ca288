import { describe, expect, it } from 'vitest'

import { timesOf } from './times'

const AT = Date.parse('2026-11-30T10:00:00Z')
const run = { created_at: '2026-11-30T10:00:00Z', waited_ms: null, working_ms: 0 }

describe('the times of a run', () => {
  it('are waiting time until its turn comes', () => {
    expect(timesOf({ ...run, state: 'queued', status: 'running' }, AT + 1500)).toEqual({ waited: 1500, working: null })
  })

  it('are working time from then on', () => {
    expect(timesOf({ ...run, state: 'running', status: 'running', waited_ms: 400 }, AT + 1500)).toEqual({ waited: 400, working: 1100 })
    // The clock of the browser may be behind that of the platform.
    expect(timesOf({ ...run, state: 'running', status: 'running', waited_ms: 400 }, AT - 60_000)).toEqual({ waited: 400, working: 0 })
  })

  it('stand still at the end', () => {
    expect(timesOf({ ...run, state: 'failed', status: 'error', waited_ms: 400, working_ms: 700 }, AT + 60_000)).toEqual({ waited: 400, working: 700 })
  })
})
