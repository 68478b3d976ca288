import type { Schemas } from '@/api/client'
import { targetFields, targetOf, type TargetFields } from '@/app/definition_runs/target'

export type Schedule = Schemas['Schedule']
export type ScheduleState = 'active' | 'paused' | 'problem'

export const TIMINGS = ['cron', 'interval', 'rrule'] as const
export const UNITS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 } as const
export type Unit = keyof typeof UNITS

/** When a schedule is due, as its form holds it. */
export interface TimetableFields {
  timing: (typeof TIMINGS)[number]
  cron: string
  every: string
  unit: Unit
  rrule: string
  timezone: string
}

export interface ScheduleFields {
  key: string
  timetable: TimetableFields
  target: TargetFields
  catchUp: Schedule['catch_up']
  overlap: Schedule['overlap']
  paused: boolean
}

type Timetable = Pick<Schedule, 'cron' | 'interval_seconds' | 'rrule'>

/** The largest unit of which the seconds are whole. */
export function intervalOf(seconds: number): { every: number; unit: Unit } {
  const [unit, size] = (Object.entries(UNITS) as [Unit, number][]).reverse().find(([, length]) => seconds % length === 0) ?? ['seconds', 1]
  return { every: seconds / size, unit }
}

export function fieldsOf(schedule: Schedule | undefined, zone: string): ScheduleFields {
  const { every, unit } = intervalOf(schedule?.interval_seconds ?? 3_600)
  return {
    key: schedule?.key ?? '',
    timetable: { timing: schedule?.rrule ? 'rrule' : schedule?.interval_seconds ? 'interval' : 'cron', cron: schedule?.cron ?? '0 7 * * mon-fri', every: String(every), unit, rrule: schedule?.rrule ?? 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9', timezone: schedule?.timezone ?? zone },
    target: { ...targetFields(schedule), choice: schedule?.version ? 'version' : 'env' },
    catchUp: schedule?.catch_up ?? 'skip',
    overlap: schedule?.overlap ?? 'skip',
    paused: schedule?.paused ?? false,
  }
}

/** The one timetable of the form, as the API takes it. */
export function timetableOf({ timing, cron, every, unit, rrule, timezone }: TimetableFields): Schemas['TimetableCheck'] {
  const interval = Number(every) * UNITS[unit]
  const own = timing === 'cron' ? { cron: cron.trim() } : timing === 'interval' ? { interval_seconds: interval } : { rrule: rrule.trim() }
  return { ...own, timezone: timezone.trim() }
}

/** Whether there is something that can be asked about. */
export function isFilled({ timing, cron, every, rrule, timezone }: TimetableFields): boolean {
  return timezone.trim() !== '' && (timing === 'cron' ? cron.trim() !== '' : timing === 'interval' ? Number(every) > 0 : rrule.trim() !== '')
}

export function bodyOf({ timetable, target, catchUp, overlap, paused }: ScheduleFields): Schemas['ScheduleEdit'] {
  return { ...targetOf(target), ...timetableOf(timetable), catch_up: catchUp, overlap, paused }
}

export function stateOf({ paused, problem }: Schedule): ScheduleState {
  if (paused) return 'paused'
  return problem ? 'problem' : 'active'
}

/** The timetable as it is written: `0 3 * * *`, `FREQ=DAILY`; an interval has words alone. */
export function writtenOf({ cron, rrule }: Timetable): string {
  return cron ?? rrule ?? ''
}
