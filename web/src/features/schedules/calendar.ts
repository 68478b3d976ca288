import type { Schemas } from '@/api/client'

export type ScheduleTimes = Schemas['ScheduleTimes']
export type Span = 'week' | 'month'
/** A day such as `2026-11-30`. */
export type Day = string

/** One line of a day: a time, or all times of a schedule that is often due. */
export interface Entry {
  schedule: string
  key: string
  /** As the clock shows it, such as `09:30`. */
  clock: string
  /** The last of several. */
  until?: string
  count: number
  /** The moment of the first. */
  at: string
  /** Of a time that has passed. */
  run?: { id: string; state: Schemas['Run']['state'] }
  /** How many of several runs have failed. */
  failed: number
}

interface Moment {
  clock: string
  at: string
  run?: Entry['run']
}

/** The API returns no more times of one schedule. */
export const MOST_TIMES = 500
/** More times of one schedule on one day are one line. */
const MOST_LINES = 3
const DAY_MS = 86_400_000
/** Time zones are up to so far from UTC. */
const MARGIN_MS = 14 * 3_600_000
const FAILED = ['failed', 'timed_out', 'crashed']
const formats = new Map<string, Intl.DateTimeFormat>()

/** Day and clock of a moment in a time zone. */
export function wallTime(at: string | Date, zone: string): { day: Day; clock: string } {
  let format = formats.get(zone)
  if (!format) formats.set(zone, (format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })))
  const [day = '', clock = ''] = format.format(new Date(at)).split(', ')
  return { day, clock }
}

export function dayAfter(day: Day, days: number): Day {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}

/** The Monday on or before a day. */
function monday(day: Day): Day {
  const weekday = new Date(`${day}T00:00:00Z`).getUTCDay()
  return dayAfter(day, -((weekday + 6) % 7))
}

/** The day of the same number, or the last one, some months later. */
function monthAfter(day: Day, months: number): Day {
  const [year = 0, month = 1] = day.split('-').map(Number)
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10)
}

/** The days that a view shows: whole weeks, from Monday on. */
export function daysOf(span: Span, day: Day): Day[] {
  const first = monday(span === 'week' ? day : monthAfter(day, 0))
  const weeks = span === 'week' ? 1 : Math.ceil((Date.parse(monthAfter(day, 1)) - Date.parse(first)) / (7 * DAY_MS))
  return Array.from({ length: weeks * 7 }, (_none, index) => dayAfter(first, index))
}

export function shifted(span: Span, day: Day, by: number): Day {
  return span === 'week' ? dayAfter(day, by * 7) : monthAfter(day, by)
}

/** From when to when to ask so that the days are whole in each time zone. */
export function boundsOf(days: readonly Day[]): { from: Date; to: Date } {
  return { from: new Date(Date.parse(days[0] ?? '') - MARGIN_MS), to: new Date(Date.parse(days.at(-1) ?? '') + DAY_MS + MARGIN_MS) }
}

/** The lines of each day: runs of what has passed, times of what is to come; in a time zone, or in each schedule's own. */
export function entriesByDay(schedules: readonly ScheduleTimes[], zone: string | null): Map<Day, Entry[]> {
  const days = new Map<Day, Entry[]>()
  const add = ({ id, key, timezone }: ScheduleTimes, moments: readonly { at: string; run?: Entry['run'] }[]) => {
    const own = new Map<Day, Moment[]>()
    for (const { at, run } of moments) {
      const { day, clock } = wallTime(at, zone ?? timezone)
      own.set(day, [...(own.get(day) ?? []), { clock, at, run }])
    }
    for (const [day, list] of own) days.set(day, [...(days.get(day) ?? []), ...linesOf(id, key, list)])
  }
  for (const schedule of schedules) {
    add(schedule, schedule.runs.map((run) => ({ at: run.scheduled_at ?? run.created_at, run: { id: run.id, state: run.state as Schemas['Run']['state'] } })).reverse())
    add(schedule, schedule.times.map((at) => ({ at })))
  }
  for (const list of days.values()) list.sort((one, other) => one.clock.localeCompare(other.clock) || one.key.localeCompare(other.key))
  return days
}

function linesOf(schedule: string, key: string, moments: readonly Moment[]): Entry[] {
  const [first, last] = [moments[0], moments.at(-1)]
  if (!first || !last || moments.length <= MOST_LINES) return moments.map((moment) => ({ schedule, key, ...moment, count: 1, failed: isFailed(moment) ? 1 : 0 }))
  return [{ schedule, key, clock: first.clock, until: last.clock, at: first.at, count: moments.length, run: last.run, failed: moments.filter(isFailed).length }]
}

function isFailed({ run }: Moment): boolean {
  return run !== undefined && FAILED.includes(run.state)
}
