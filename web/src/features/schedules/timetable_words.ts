import { computed, shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'

import { language } from '@/app/i18n'

import { cronOfRule } from './recurrence'
import { wordsOfRecurrence } from './rule_words'
import { intervalOf, type Schedule } from './schedule_form'

type Cronstrue = typeof import('cronstrue')['default']

const cronstrue = shallowRef<Cronstrue>()
let loading: Promise<unknown> | undefined

/** Both come at once: the language may be changed while a page is open. */
async function load(): Promise<void> {
  const [words] = await Promise.all([import('cronstrue'), import('cronstrue/locales/zh_CN')])
  cronstrue.value = words.default
}

/** What a timetable means, in the language of the page; a cron as it is written until its words are loaded. */
export function useTimetableWords() {
  const { t } = useI18n()
  loading ??= load().catch(() => (loading = undefined))
  const locale = computed(() => (language.value === 'zh' ? 'zh_CN' : 'en'))

  /** Empty for what is no cron. */
  function wordsOfCron(cron: string): string {
    try {
      return cronstrue.value?.toString(cron.trim(), { locale: locale.value, use24HourTimeFormat: true, throwExceptionOnParseError: true }) ?? cron
    } catch {
      return ''
    }
  }

  function wordsOfInterval(seconds: number): string {
    const { every, unit } = intervalOf(seconds)
    return t(`schedules.every.${unit}`, { count: every }, every)
  }

  /** Empty for a rule that has no short words. */
  function wordsOfRule(rule: string): string {
    const cron = cronOfRule(rule)
    return cron ? wordsOfCron(cron) : wordsOfRecurrence(rule, t, language.value === 'zh' ? 'zh-CN' : 'en')
  }

  function wordsOf({ cron, interval_seconds: interval, rrule }: Partial<Pick<Schedule, 'cron' | 'interval_seconds' | 'rrule'>>): string {
    if (cron) return wordsOfCron(cron) || cron
    if (rrule) return wordsOfRule(rrule) || rrule
    return interval ? wordsOfInterval(interval) : ''
  }

  return { wordsOf, wordsOfCron, wordsOfInterval, wordsOfRule }
}
