import { describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'

import en from './messages/en.json'
import zh from './messages/zh.json'
import { wordsOfRecurrence } from './rule_words'

function wordsIn(locale: 'en' | 'zh-CN') {
  const messages = { en: { schedules: en }, 'zh-CN': { schedules: zh } } as never
  const { t } = createI18n({ legacy: false, locale, messages }).global as unknown as { t: Parameters<typeof wordsOfRecurrence>[1] }
  return (rule: string) => wordsOfRecurrence(rule, t, locale)
}

describe('the words of a recurrence rule', () => {
  it.each([
    ['FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;BYHOUR=9', 'Every 2 weeks on Monday and Thursday at 09:00', '每 2 周，星期一和星期四 09:00'],
    ['RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYHOUR=7;BYMINUTE=30', 'Every month on the first Monday and the last Friday at 07:30', '每月，第一个星期一和最后一个星期五 07:30'],
    ['FREQ=MONTHLY;BYMONTHDAY=15,-1;BYMONTH=3', 'Every month in March on day 15 and the last day at 00:00', '每月，三月，15 日和最后一天 00:00'],
    ['FREQ=DAILY;BYHOUR=8,20;COUNT=3', 'Every day at 08:00 and 20:00, 3 times', '每天 08:00和20:00，共 3 次'],
    ['FREQ=DAILY;INTERVAL=3;UNTIL=20301224T180000Z', 'Every 3 days at 00:00, until Dec 24, 2030 18:00 UTC', '每 3 天 00:00，至 2030年12月24日 18:00 UTC'],
    ['FREQ=HOURLY;INTERVAL=6;BYMINUTE=15;BYDAY=SA,SU', 'Every 6 hours on Saturday and Sunday at minute 15', '每 6 小时，星期六和星期日 第 15 分'],
    ['FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24', 'Every year on December 24 at 00:00', '每年，12月24日 00:00'],
    ['DTSTART:20260302T093000\nRRULE:FREQ=WEEKLY;WKST=MO', 'Every week on Monday at 09:30, from Mar 2, 2026', '每周，星期一 09:30，自 2026年3月2日 起'],
    ['FREQ=MINUTELY;INTERVAL=5', 'Every 5 minutes', '每 5 分钟'],
  ])('%s', (rule, english, chinese) => expect([wordsIn('en')(rule), wordsIn('zh-CN')(rule)]).toEqual([english, chinese]))

  it.each([
    'FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1', 'FREQ=MONTHLY;BYDAY=MO', 'FREQ=YEARLY;BYDAY=1MO', 'FREQ=WEEKLY;BYDAY=1MO', 'FREQ=DAILY;INTERVAL=2;BYDAY=MO', 'FREQ=DAILY;BYHOUR=25',
    'FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7', 'FREQ=DAILY;COUNT=x', 'FREQ=DAILY;UNTIL=soon', 'FREQ=SECONDLY', 'DTSTART:20260302T093000Z\nRRULE:FREQ=DAILY', 'FREQ=MONTHLY;BYMONTHDAY=-2', 'what', '',
  ])('%s has none', (rule) => expect(wordsIn('en')(rule)).toBe(''))
})
