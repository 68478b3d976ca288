// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { pacedRefetch, staleAfter } from './staleness'

describe('staleAfter', () => {
  it('names the lists of what an event is about', () => {
    expect(staleAfter('run.ended')).toContain('runs')
    expect(staleAfter('run.many')).toEqual(staleAfter('run.started'))
    expect(staleAfter('provider.changed')).toContain('providers')
    expect(staleAfter('environment.changed')).toContain('workspaces')
    expect(staleAfter('workflow.saved')).toContain('workflows')
    expect(staleAfter('user.changed')).toEqual(expect.arrayContaining(['users', 'members', 'keys']))
    expect(staleAfter('workspace.deleted')).toEqual(expect.arrayContaining(['workspaces', 'providers', 'keys']))
  })

  it('passes over types of a newer platform', () => {
    expect(staleAfter('gizmo.changed')).toEqual([])
  })
})

describe('pacedRefetch', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  it('fetches at the first event at once, and once more for all that follow', () => {
    const refetch = vi.fn()
    const { mark } = pacedRefetch(refetch)
    mark('prompts')
    expect(refetch.mock.calls).toEqual([['prompts']])
    for (let count = 0; count < 100; count++) mark('prompts')
    expect(refetch).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(2_000)
    expect(refetch).toHaveBeenCalledTimes(2)
    mark('prompts')
    expect(refetch).toHaveBeenCalledTimes(3)
  })

  it('fetches runs about once a second, however many end', () => {
    const refetch = vi.fn()
    const { mark } = pacedRefetch(refetch)
    for (let tick = 0; tick < 500; tick++) {
      mark('runs')
      vi.advanceTimersByTime(10)
    }
    expect(refetch.mock.calls.length).toBeGreaterThanOrEqual(4)
    expect(refetch.mock.calls.length).toBeLessThanOrEqual(6)
  })

  it('fetches the last change as well', () => {
    const refetch = vi.fn()
    const { mark } = pacedRefetch(refetch)
    mark('runs')
    vi.advanceTimersByTime(100)
    mark('runs')
    vi.advanceTimersByTime(2_000)
    expect(refetch).toHaveBeenCalledTimes(2)
  })

  it('drops what waits', () => {
    const refetch = vi.fn()
    const { mark, clear } = pacedRefetch(refetch)
    mark('runs')
    mark('runs')
    clear()
    vi.advanceTimersByTime(2_000)
    expect(refetch).toHaveBeenCalledTimes(1)
  })
})
