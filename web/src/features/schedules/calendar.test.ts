import { describe, expect, it } from 'vitest'

import { boundsOf, daysOf, entriesByDay, shifted, wallTime, type ScheduleTimes } from './calendar'

const scheduleOf = (fields: Partial<ScheduleTimes>): ScheduleTimes => ({ id: 'a', key: 'nightly', timezone: 'Europe/Berlin', times: [], runs: [], ...fields })

describe('the calendar of schedules', () => {
  it('shows whole weeks from Monday on', () => {
    expect(daysOf('week', '2026-11-29')).toEqual(['2026-11-23', '2026-11-24', '2026-11-25', '2026-11-26', '2026-11-27', '2026-11-28', '2026-11-29'])
    const month = daysOf('month', '2026-11-15')
    expect([month[0], month.at(-1), month.length]).toEqual(['2026-10-26', '2026-12-06', 42])
    expect(daysOf('month', '2027-02-10')).toHaveLength(28)
  })

  it('goes on by a week or a month, also from the 31st', () => {
    expect(shifted('week', '2026-12-30', 1)).toBe('2027-01-06')
    expect(shifted('month', '2026-01-31', 1)).toBe('2026-02-01')
    expect(shifted('month', '2026-01-31', -1)).toBe('2025-12-01')
  })

  it('asks for enough that the days are whole in each time zone', () => {
    const { from, to } = boundsOf(['2026-11-30', '2026-12-01'])
    expect(wallTime(from, 'Pacific/Kiritimati').day <= '2026-11-30').toBe(true)
    expect(wallTime(to, 'Pacific/Niue').day >= '2026-12-02').toBe(true)
  })

  it('puts a time on the day of the reader, or of the schedule, through a change of the clocks', () => {
    const coming = [scheduleOf({ timezone: 'America/New_York', times: ['2026-03-29T00:30:00Z', '2026-03-30T00:30:00Z'] })]
    const lines = (zone: string | null) => [...entriesByDay(coming, zone)].map(([day, [entry]]) => `${day} ${entry?.clock}`)
    expect(lines('Europe/Berlin')).toEqual(['2026-03-29 01:30', '2026-03-30 02:30'])
    expect(lines(null)).toEqual(['2026-03-28 20:30', '2026-03-29 20:30'])
  })

  it('has one line for what is often due, and says how many runs failed', () => {
    const runs = ['completed', 'failed', 'completed', 'crashed'].map((state, index) => ({ id: String(index), state, created_at: `2026-11-30T0${4 - index}:00:01Z`, scheduled_at: `2026-11-30T0${4 - index}:00:00Z` }))
    const [entry, ...others] = entriesByDay([scheduleOf({ runs })], 'UTC').get('2026-11-30') ?? []
    expect(others).toEqual([])
    expect(entry).toMatchObject({ clock: '01:00', until: '04:00', count: 4, failed: 2, run: { id: '0', state: 'completed' } })
  })

  it('orders the lines of a day by the clock', () => {
    const coming = [scheduleOf({ times: ['2026-11-30T09:00:00Z'] }), scheduleOf({ id: 'b', key: 'early', times: ['2026-11-30T02:00:00Z'] })]
    expect(entriesByDay(coming, 'UTC').get('2026-11-30')?.map(({ key }) => key)).toEqual(['early', 'nightly'])
  })
})
