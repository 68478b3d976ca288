import { useQuery } from '@pinia/colada'
import type { Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'
import { moment } from '@/app/run_links'

import type { Variant } from './shares'

/** How many days the figures cover, and by what they are added up. */
export const PERIODS = { '1': 'hour', '7': 'day', '30': 'day' } as const
export type Days = keyof typeof PERIODS
export type Figures = Schemas['RunFigures']
export interface VariantFigures {
  variant: Variant
  /** Null without runs, undefined where the figures are not known. */
  figures: Figures | null | undefined
}

const HOUR_MS = 3_600_000

/** When a period begins that ends now, at a whole hour: a link to the same runs must not change all the time. */
export function beginOf(days: Days, now = Date.now()): string {
  return moment((Math.floor(now / HOUR_MS) - Number(days) * 24) * HOUR_MS)
}

/** The figures of the version of each variant. The API adds up the versions of the fewest runs: of those the figures are not known. */
export function figuresOf(variants: readonly Variant[], series: readonly Schemas['StatsSeries'][] | undefined): VariantFigures[] {
  const byVersion = new Map((series ?? []).flatMap(({ prompt, figures }) => (prompt ? [[prompt.version, figures] as const] : [])))
  const isWhole = series !== undefined && series.every(({ prompt }) => prompt)
  return variants.map((variant) => ({ variant, figures: byVersion.get(variant.version) ?? (isWhole ? null : undefined) }))
}

/** Figures of a prompt's versions; `runs` makes them stale with every run that ends. */
export function useVersionFigures(place: Ref<{ workspace: string; key: string; env: string }>, days: Ref<Days>) {
  return useQuery({
    key: () => ['runs', 'variants', place.value.workspace, place.value.key, place.value.env, days.value],
    query: async () => {
      const { workspace, key, env } = place.value
      const query = { workspace, prompt: key, prompt_env: env, group_by: 'prompt_version' as const, interval: PERIODS[days.value], since: beginOf(days.value), points: false }
      return body(await api.GET('/api/runs/stats', { params: { query } }))
    },
  })
}
