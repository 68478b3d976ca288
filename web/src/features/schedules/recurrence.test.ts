import { expect, it } from 'vitest'

import { cronOfRule } from './recurrence'

it.each([
  ['FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0;BYSECOND=0', '0 9 * * mon,thu'],
  ['RRULE:FREQ=DAILY;BYHOUR=7,19', '0 7,19 * * *'],
  ['FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=1,15', '0 0 1,15 * *'],
])('%s means %s', (rule, cron) => expect(cronOfRule(rule)).toBe(cron))

it.each(['FREQ=WEEKLY', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO', 'FREQ=MONTHLY;BYDAY=1MO', 'FREQ=MONTHLY;BYMONTHDAY=-1', 'FREQ=DAILY;COUNT=3', 'DTSTART:20200101T090000\nRRULE:FREQ=DAILY', 'FREQ=HOURLY', 'what', ''])(
  '%s has no cron', (rule) => expect(cronOfRule(rule)).toBeUndefined(),
)
