/** The one overload that is used here: the whole type of vue-i18n is too deep for the compiler. */
type Translate = (key: string, values?: Record<string, unknown>, plural?: number) => string

/** The parts of a recurrence rule that have words; `start` is a time of the wall clock, kept as if it were UTC. */
interface Rule {
  frequency: string
  interval: number
  months: number[]
  /** `day` 0 is Sunday; `place` 2 is the second of the month, -1 the last, 0 each of them. */
  weekdays: { place: number; day: number }[]
  dates: number[]
  hours: number[]
  minutes: number[]
  start: Date
  isStarted: boolean
  count: number
  until: string
}

const NAMES = ['FREQ', 'INTERVAL', 'BYMONTH', 'BYDAY', 'BYMONTHDAY', 'BYHOUR', 'BYMINUTE', 'BYSECOND', 'COUNT', 'UNTIL', 'WKST']
const FREQUENCIES: Record<string, string> = { MINUTELY: 'minutes', HOURLY: 'hours', DAILY: 'days', WEEKLY: 'weeks', MONTHLY: 'months', YEARLY: 'years' }
const DAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']
const STAMP = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)00(Z?))?$/u
const WEEKDAY = /^(-1|[1-5])?(SU|MO|TU|WE|TH|FR|SA)$/u
// The engine counts from here where a rule does not say its beginning.
const BEGINNING = '20200101T000000'
const MOST_TIMES = 6

/** What a recurrence rule of RFC 5545 means, in the language of `t`; empty for one that has no short words. */
export function wordsOfRecurrence(text: string, t: Translate, locale: string): string {
  const rule = parseRule(text)
  const days = rule && daysOf(rule, t, locale)
  const times = rule && timesOf(rule, t, locale)
  if (!rule || days === undefined || times === undefined) return ''
  const withPart = (name: string, words: string) => (rest: string) => (words ? t(`schedules.rule.${name}`, { rest, words }) : rest)
  const steps = [
    withPart('in', isDated(rule) ? '' : monthsOf(rule, locale)),
    withPart('on', days),
    withPart('at', times),
    (rest: string) => (rule.count ? t('schedules.rule.count', { rest, count: rule.count }, rule.count) : rest),
    withPart('from', rule.isStarted ? shownDate(rule.start, locale) : ''),
    withPart('until', rule.until && shownStamp(rule.until, locale)),
  ]
  return steps.reduce((words, step) => step(words), t(`schedules.rule.every.${FREQUENCIES[rule.frequency]}`, { count: rule.interval }, rule.interval))
}

function parseRule(text: string): Rule | undefined {
  const lines = text.trim().toUpperCase().split(/\s+/u)
  const begun = lines.length === 2 ? /^DTSTART:(\d{8}T\d{6})$/u.exec(lines[0] ?? '')?.[1] : BEGINNING
  const parts = new Map((lines.at(-1) ?? '').replace(/^RRULE:/u, '').split(';').filter(Boolean).map((part) => part.split('=') as [string, string]))
  const own = (name: string) => parts.get(name) ?? ''
  const numbers = (name: string) => (own(name) ? own(name).split(',').map(Number) : [])
  const weekdays = own('BYDAY') ? own('BYDAY').split(',').map((part) => WEEKDAY.exec(part)) : []
  const start = begun && dateOf(begun)
  const isKnown = [...parts.keys()].every((name) => NAMES.includes(name)) && Object.hasOwn(FREQUENCIES, own('FREQ')) && (!own('UNTIL') || dateOf(own('UNTIL')) !== undefined)
  if (lines.length > 2 || !start || !isKnown || own('BYSECOND').replace(/^0+$/u, '') || own('WKST').replace('MO', '') || weekdays.includes(null)) return undefined
  const rule: Rule = {
    frequency: own('FREQ'), interval: Number(own('INTERVAL') || 1), count: Number(own('COUNT') || 0), until: own('UNTIL'), start, isStarted: lines.length === 2,
    months: numbers('BYMONTH'), dates: numbers('BYMONTHDAY'), hours: numbers('BYHOUR'), minutes: numbers('BYMINUTE'),
    weekdays: weekdays.map((match) => ({ place: Number(match?.[1] ?? 0), day: DAYS.indexOf(match?.[2] ?? '') })),
  }
  return isSayable(rule) ? rule : undefined
}

/** What a frequency makes of its parts differs: only what reads the same as it counts is put into words. */
function isSayable({ frequency, interval, count, months, weekdays, dates, hours, minutes }: Rule): boolean {
  const within = (values: number[], least: number, most: number) => values.every((value) => Number.isInteger(value) && value >= least && value <= most)
  if (!within([interval], 1, 9999) || !within([count], 0, 99_999) || !within(months, 1, 12) || !within(hours, 0, 23) || !within(minutes, 0, 59)) return false
  if (!within(dates.filter((date) => date !== -1), 1, 31) || (dates.length > 0 && weekdays.length > 0)) return false
  const places = weekdays.filter(({ place }) => place !== 0).length
  if (frequency === 'MONTHLY') return places === weekdays.length
  if (frequency === 'YEARLY') return places === weekdays.length && (months.length > 0) === (dates.length + weekdays.length > 0)
  if (places || dates.length || months.length) return false
  if (frequency === 'WEEKLY') return true
  if (frequency === 'DAILY') return !weekdays.length || interval === 1
  return !hours.length && (frequency === 'HOURLY' || minutes.length === 0)
}

/** On which days: where a rule does not say it, on that of its beginning; undefined where that has no words. */
function daysOf(rule: Rule, t: Translate, locale: string): string | undefined {
  const { frequency, weekdays, dates, start } = rule
  if (isDated(rule)) return datesOf(rule, locale)
  if (weekdays.length) return listOf(weekdays.map(({ place, day }) => placed(place, dayName(day, locale), t)), locale)
  if (frequency === 'WEEKLY') return dayName(start.getUTCDay(), locale)
  if (frequency !== 'MONTHLY') return dates.length ? undefined : ''
  return listOf((dates.length ? dates : [start.getUTCDate()]).map((date) => (date === -1 ? t('schedules.rule.lastDay') : t('schedules.rule.day', { date }))), locale)
}

/** Whether its days are dates of the year. */
const isDated = ({ frequency, weekdays }: Rule) => frequency === 'YEARLY' && weekdays.length === 0

function datesOf({ months, dates, start }: Rule, locale: string): string | undefined {
  if (dates.includes(-1)) return undefined
  const format = new Intl.DateTimeFormat(locale, { month: 'long', day: 'numeric', timeZone: 'UTC' })
  // A leap year has all dates.
  const inYear = (month: number, date: number) => format.format(new Date(Date.UTC(2024, month, date)))
  if (!dates.length) return inYear(start.getUTCMonth(), start.getUTCDate())
  return listOf(months.flatMap((month) => dates.map((date) => inYear(month - 1, date))), locale)
}

function monthsOf({ months }: Rule, locale: string): string {
  const format = new Intl.DateTimeFormat(locale, { month: 'long', timeZone: 'UTC' })
  return listOf(months.map((month) => format.format(new Date(Date.UTC(2024, month - 1)))), locale)
}

/** At what times of the day, or at which minutes of the hour; undefined for too many. */
function timesOf({ frequency, hours, minutes, start }: Rule, t: Translate, locale: string): string | undefined {
  const ownMinutes = minutes.length ? minutes : [start.getUTCMinutes()]
  if (frequency === 'MINUTELY') return ''
  if (frequency === 'HOURLY') return ownMinutes.join() === '0' ? '' : t('schedules.rule.minute', { minutes: listOf(ownMinutes.map(String), locale) }, ownMinutes.length)
  const ownHours = hours.length ? hours : [start.getUTCHours()]
  const times = ownHours.flatMap((hour) => ownMinutes.map((minute) => [hour, minute].map((number) => String(number).padStart(2, '0')).join(':')))
  return times.length > MOST_TIMES ? undefined : listOf(times, locale)
}

function placed(place: number, day: string, t: Translate): string {
  return place ? t(`schedules.rule.place.${place === -1 ? 'last' : place}`, { day }) : day
}

function dayName(day: number, locale: string): string {
  // A Sunday.
  return new Intl.DateTimeFormat(locale, { weekday: 'long', timeZone: 'UTC' }).format(new Date(Date.UTC(2024, 8, 1 + day)))
}

function listOf(items: string[], locale: string): string {
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format(items)
}

function dateOf(stamp: string): Date | undefined {
  const [, year, month, date, hour = '0', minute = '0'] = STAMP.exec(stamp) ?? []
  return year ? new Date(Date.UTC(Number(year), Number(month) - 1, Number(date), Number(hour), Number(minute))) : undefined
}

function shownDate(date: Date, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' }).format(date)
}

/** A day, with its time where it has one. */
function shownStamp(stamp: string, locale: string): string {
  const date = dateOf(stamp) ?? new Date(0)
  const time = stamp.includes('T') ? ` ${date.toISOString().slice(11, 16)}${stamp.endsWith('Z') ? ' UTC' : ''}` : ''
  return shownDate(date, locale) + time
}
