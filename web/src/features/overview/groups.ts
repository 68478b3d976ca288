import type { Schemas } from '@/api/client'

import type { Measure } from './measures'
import type { GroupFilter, Grouping, Stats } from './queries'
import { startsOf, valuesAt, type Window } from './ranges'

export interface GroupRow {
  /** Of the group in the address; empty for all others together. */
  id: string
  prompt: Schemas['UsedPromptVersion'] | null
  figures: Schemas['RunFigures']
  /** The measure over time, of 100 at its highest. */
  line: number[]
}

/** The groups of statistics, the largest first, and all others together at the end. */
export function rowsOf(stats: Stats | undefined, window: Window, measure: Measure, now: number): GroupRow[] {
  const starts = startsOf(window.since, window.until, window.groupInterval).filter((start) => start <= now)
  return (stats?.series ?? []).map((series) => ({
    id: series.group === null ? '' : series.group === '' ? EMPTY : series.group,
    prompt: series.prompt,
    figures: series.figures,
    line: scaled(valuesAt(series.points, starts, measure)),
  }))
}

function scaled(values: readonly (number | null)[]): number[] {
  const highest = Math.max(...values.map((value) => value ?? 0))
  return values.map((value) => (highest ? ((value ?? 0) / highest) * 100 : 0))
}

/** A run may have no key, or have ended before a model was called. */
export const EMPTY = '(none)'

/** What keeps a list or figures to this group; null where nothing does. */
export function filterOf(row: GroupRow, by: Grouping): GroupFilter | null {
  if (row.id === '' || row.id === EMPTY) return null
  if (by === 'prompt_version') return row.prompt && { prompt: row.prompt.key, prompt_env: row.prompt.env, prompt_version: row.prompt.version }
  return { [by]: row.id }
}

export function nameOf(row: GroupRow, t: (key: string) => string): string {
  if (row.id === '') return t('overview.others')
  if (row.id === EMPTY) return t('overview.none')
  return row.prompt ? `${row.prompt.key} ${row.prompt.version}` : row.id
}
