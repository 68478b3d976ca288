import { computed } from 'vue'

import { language } from './i18n'

const formats = computed(() => {
  const locale = language.value === 'zh' ? 'zh-CN' : 'en'
  return {
    number: new Intl.NumberFormat(locale),
    compact: new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 }),
    relative: new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'narrow' }),
    exact: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }),
    day: new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }),
    weekday: new Intl.DateTimeFormat(locale, { weekday: 'long' }),
  }
})

/** A dash where nothing is known, which is not 0. */
export const UNKNOWN = '–'

export function formatCount(value: number | null | undefined): string {
  return value == null ? UNKNOWN : formats.value.number.format(value)
}

export function formatCompact(value: number | null | undefined): string {
  return value == null ? UNKNOWN : formats.value.compact.format(value)
}

/** Dollars, with as many decimals as a small sum needs. */
export function formatCost(dollars: number | null | undefined): string {
  if (dollars == null) return UNKNOWN
  const digits = dollars === 0 || dollars >= 1 ? 2 : dollars >= 0.01 ? 3 : 5
  return `$${dollars.toFixed(digits)}`
}

/** `840 ms`, `2.31 s`, `4 min 10 s`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms == null) return UNKNOWN
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

export function formatPercent(share: number | null | undefined, digits = 1): string {
  return share == null || !Number.isFinite(share) ? UNKNOWN : `${(share * 100).toFixed(digits)} %`
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000], ['month', 2_592_000], ['week', 604_800], ['day', 86_400], ['hour', 3600], ['minute', 60],
]

export function formatRelative(time: string | Date | null | undefined, now = Date.now()): string {
  if (!time) return UNKNOWN
  const seconds = Math.round((new Date(time).getTime() - now) / 1000)
  if (Math.abs(seconds) < 5) return formats.value.relative.format(0, 'second')
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return formats.value.relative.format(Math.trunc(seconds / size), unit)
  }
  return formats.value.relative.format(seconds, 'second')
}

export function formatExact(time: string | Date | null | undefined): string {
  return time ? formats.value.exact.format(new Date(time)) : UNKNOWN
}

/** The name of the day of the week. */
export function formatWeekday(time: string | Date): string {
  return formats.value.weekday.format(new Date(time))
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

/** `812 B`, `4.2 MB`: units of 1,024. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes == null) return UNKNOWN
  const power = Math.min(bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0, UNITS.length - 1)
  return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${UNITS[power]}`
}

const zoned = new Map<string, Intl.DateTimeFormat>()

/** The time zone of this browser. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Weekday, day and time, or without the day, as the clocks of a time zone show them; UTC for a zone that does not exist. */
export function formatIn(time: string | Date, zone: string, length: 'long' | 'short' = 'long'): string {
  const locale = language.value === 'zh' ? 'zh-CN' : 'en'
  const date = new Date(time)
  const name = [locale, zone, length, date.getUTCSeconds() !== 0].join(' ')
  const options: Intl.DateTimeFormatOptions = { weekday: 'short', hour: '2-digit', minute: '2-digit', second: date.getUTCSeconds() ? '2-digit' : undefined, hourCycle: 'h23', ...(length === 'long' ? { month: 'short', day: 'numeric' } : {}) }
  const format = zoned.get(name) ?? zonedFormat(locale, zone, options)
  zoned.set(name, format)
  return format.format(date)
}

function zonedFormat(locale: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone })
  } catch {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' })
  }
}
