import type { Schemas } from '@/api/client'

type Run = Schemas['Run']

export interface Cause {
  /** The sentence of the newest run. */
  text: string
  key: string
  source: string
  count: number
  newest: Run
  /** Runs in each twelfth of the time. */
  counts: number[]
}

const PARTS = 12

/** What differs between two runs that failed for one reason: numbers, ids, quoted texts. */
export function pattern(error: string): string {
  return error.replace(/"[^"]*"|'[^']*'/gu, '…').replace(/\b[0-9a-f-]{8,}\b/giu, '#').replace(/\d+(?:\.\d+)?/gu, '#').slice(0, 200)
}

/** Failed runs by what failed where, the most frequent first. */
export function causesOf(runs: readonly Run[], since: number, until: number): Cause[] {
  const causes = new Map<string, Cause>()
  for (const run of runs) {
    const name = `${run.source}\n${run.ref_key}\n${pattern(run.error)}`
    const at = new Date(run.created_at).getTime()
    const cause = causes.get(name) ?? { text: run.error, key: run.ref_key, source: run.source, count: 0, newest: run, counts: new Array<number>(PARTS).fill(0) }
    causes.set(name, cause)
    cause.count += 1
    if (run.created_at > cause.newest.created_at) Object.assign(cause, { newest: run, text: run.error })
    const part = Math.min(Math.max(Math.floor(((at - since) / (until - since)) * PARTS), 0), PARTS - 1)
    cause.counts[part] = (cause.counts[part] ?? 0) + 1
  }
  return [...causes.values()].sort((a, b) => b.count - a.count || b.newest.created_at.localeCompare(a.newest.created_at))
}
