import type { Schemas } from '@/api/client'

export interface RunTimes {
  /** Milliseconds until its turn came. */
  waited: number
  /** Milliseconds since then, up to its end; null before. */
  working: number | null
}

/** How long a run has waited and worked, at this moment. */
export function timesOf(run: Pick<Schemas['Run'], 'state' | 'status' | 'created_at' | 'waited_ms' | 'working_ms'>, now: number): RunTimes {
  const since = Math.max(now - Date.parse(run.created_at), 0)
  if (run.waited_ms === null) return { waited: since, working: null }
  return { waited: run.waited_ms, working: run.status === 'running' ? Math.max(since - run.waited_ms, 0) : run.working_ms }
}
