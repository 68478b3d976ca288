import { describe, expect, it } from 'vitest'

import { bodyOf, fieldsOf, intervalOf, isFilled, stateOf, timetableOf, type Schedule } from './schedule_form'

const scheduleOf = (fields: Partial<Schedule>) => ({ key: 'nightly', workflow: 'report', agent: null, version: null, env: 'prod', cron: null, interval_seconds: null, rrule: null, timezone: 'Europe/Berlin', variables: {}, paused: false, catch_up: 'skip', overlap: 'skip', problem: null, ...fields }) as Schedule

describe('the form of a schedule', () => {
  it.each([
    { cron: '0 3 * * *', variables: { days: 1 }, catch_up: 'one' as const },
    { interval_seconds: 5_400, overlap: 'queue' as const, paused: true },
    { rrule: 'FREQ=WEEKLY;BYDAY=MO', workflow: null, agent: 'helper', env: null, version: 2 },
  ])('sends what the schedule is: %o', (fields) => {
    const schedule = scheduleOf(fields)
    const sent = bodyOf(fieldsOf(schedule, 'UTC'))
    expect(schedule).toMatchObject(sent)
    expect(Object.keys(sent).filter((name) => ['cron', 'interval_seconds', 'rrule'].includes(name))).toHaveLength(1)
  })

  it('begins in the time zone of its reader, with what the first environment serves', () => {
    const fields = fieldsOf(undefined, 'Asia/Shanghai')
    expect(fields.timetable.timezone).toBe('Asia/Shanghai')
    expect(fields.target.choice).toBe('env')
  })

  it('shows an interval in the largest whole unit', () => {
    expect([30, 90, 5_400, 7_200, 172_800, 0.5].map(intervalOf)).toEqual([{ every: 30, unit: 'seconds' }, { every: 90, unit: 'seconds' }, { every: 90, unit: 'minutes' }, { every: 2, unit: 'hours' }, { every: 2, unit: 'days' }, { every: 0.5, unit: 'seconds' }])
  })

  it('asks about times as soon as there is a timetable', () => {
    const { timetable } = fieldsOf(undefined, 'UTC')
    expect(isFilled(timetable)).toBe(true)
    expect(isFilled({ ...timetable, cron: ' ' })).toBe(false)
    expect(isFilled({ ...timetable, timing: 'interval', every: '0' })).toBe(false)
    expect(timetableOf({ ...timetable, timing: 'interval', every: '15', unit: 'minutes' })).toEqual({ interval_seconds: 900, timezone: 'UTC' })
  })

  it('is paused, has a problem, or is active', () => {
    expect([{}, { problem: 'gone' }, { problem: 'gone', paused: true }].map((fields) => stateOf(scheduleOf(fields)))).toEqual(['active', 'problem', 'paused'])
  })
})
