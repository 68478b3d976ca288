const DAYS: Record<string, string> = { SU: 'sun', MO: 'mon', TU: 'tue', WE: 'wed', TH: 'thu', FR: 'fri', SA: 'sat' }
const PARTS = ['FREQ', 'INTERVAL', 'BYDAY', 'BYMONTHDAY', 'BYHOUR', 'BYMINUTE', 'BYSECOND']
const NUMBERS = /^\d+(,\d+)*$/u

/**
 * The cron that means the same as a recurrence rule, for its words; undefined where there is none. A
 * rule without a beginning counts from midnight of 2020-01-01.
 */
export function cronOfRule(rule: string): string | undefined {
  const parts = new Map(rule.trim().toUpperCase().replace(/^RRULE:/u, '').split(';').filter(Boolean).map((part) => part.split('=') as [string, string]))
  const own = (name: string) => parts.get(name) ?? ''
  if ([...parts.keys()].some((name) => !PARTS.includes(name)) || own('INTERVAL').replace('1', '') || own('BYSECOND').replace('0', '')) return undefined
  const days = own('BYDAY') ? own('BYDAY').split(',').map((day) => DAYS[day]) : []
  const [minute, hour, date] = [own('BYMINUTE') || '0', own('BYHOUR') || '0', own('BYMONTHDAY')]
  if (days.includes(undefined) || ![minute, hour, date || '1'].every((numbers) => NUMBERS.test(numbers)) || (date && days.length)) return undefined
  const isComplete = { DAILY: true, WEEKLY: days.length > 0 && !date, MONTHLY: date !== '' }[own('FREQ')]
  return isComplete ? `${minute} ${hour} ${date || '*'} * ${days.join(',') || '*'}` : undefined
}
