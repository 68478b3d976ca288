import type { Schemas } from '@/api/client'

const HOUR_MS = 3_600_000

/** When the hour began that is the first of so many, this one included. */
export function sinceHours(hours: number, now = Date.now()): Date {
  return new Date(Math.floor(now / HOUR_MS) * HOUR_MS - (hours - 1) * HOUR_MS)
}

/** The calls of each hour, of all versions together, oldest first. */
export function hoursOf(stats: Schemas['RunStats'], hours: number): number[] {
  const calls = new Array<number>(hours).fill(0)
  const since = stats.since ? new Date(stats.since).getTime() : 0
  for (const point of stats.series.flatMap((series) => series.points)) {
    const hour = Math.round((new Date(point.start).getTime() - since) / HOUR_MS)
    if (hour >= 0 && hour < hours) calls[hour] = (calls[hour] ?? 0) + point.calls
  }
  return calls
}
