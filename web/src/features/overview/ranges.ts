import type { Schemas } from '@/api/client'

import { isSum, valueOf, type Measure } from './measures'

type Point = Schemas['StatsPoint']
export const RANGES = ['24h', '7d', '30d'] as const
export type Range = (typeof RANGES)[number]

const HOUR = 3_600_000
const DAY = 24 * HOUR

export interface Window {
  since: Date
  /** After the last hour or day that has begun. */
  until: Date
  /** Of the chart. */
  interval: 'hour' | 'day'
  /** Of the small lines of groups; begins and ends where the chart does. */
  groupInterval: 'hour' | 'day'
  compareDays: number
}

/** The time that a range covers. Days are those of UTC, as the platform sums them up. */
export function windowOf(range: Range, now: Date): Window {
  if (range === '24h') {
    const until = Math.floor(now.getTime() / HOUR) * HOUR + HOUR
    return { since: new Date(until - DAY), until: new Date(until), interval: 'hour', groupInterval: 'hour', compareDays: 1 }
  }
  const days = range === '7d' ? 7 : 30
  const until = Math.floor(now.getTime() / DAY) * DAY + DAY
  return { since: new Date(until - days * DAY), until: new Date(until), interval: range === '7d' ? 'hour' : 'day', groupInterval: 'day', compareDays: days }
}

/** The beginnings of the hours or days of a window, in ms. */
export function startsOf(since: Date, until: Date, interval: 'hour' | 'day'): number[] {
  const length = interval === 'hour' ? HOUR : DAY
  return Array.from({ length: Math.round((until.getTime() - since.getTime()) / length) }, (_none, index) => since.getTime() + index * length)
}

/**
 * One value for each of `starts` (in ms); points that began `shift` earlier are taken for it. What
 * has not begun at `now` is not known; an hour without runs is 0 in a sum.
 */
export function valuesAt(points: readonly Point[], starts: readonly number[], measure: Measure, { shift = 0, now = Infinity } = {}): (number | null)[] {
  const byStart = new Map(points.map((point) => [new Date(point.start).getTime(), point]))
  return starts.map((start) => {
    if (start > now) return null
    const point = byStart.get(start - shift)
    if (point) return valueOf(point, measure)
    return isSum(measure) ? 0 : null
  })
}

export interface Today {
  midnight: Date
  tomorrow: Date
  /** The end of the last whole hour: up to it two days can be compared. */
  wholeUntil: Date
}

/** The user's own day. */
export function todayOf(now: Date): Today {
  const midnight = new Date(now)
  midnight.setHours(0, 0, 0, 0)
  // Hours are summed up by UTC, so of a zone beside whole hours the day begins a little earlier.
  const begin = Math.floor(midnight.getTime() / HOUR) * HOUR
  const wholeUntil = new Date(Math.floor(now.getTime() / HOUR) * HOUR)
  return { midnight: new Date(begin), tomorrow: new Date(begin + DAY), wholeUntil }
}

/** How much more than before, as a share; null where there is nothing to compare with. */
export function changeOf(value: number | null | undefined, before: number | null | undefined): number | null {
  return value == null || !before ? null : value / before - 1
}
