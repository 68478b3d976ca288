import type { RouteLocationRaw } from 'vue-router'

import { formatSearch } from '@/ui/tokens'

export const RUN_FILTERS = ['status', 'state', 'source', 'key', 'version', 'provider', 'model', 'user', 'prompt', 'prompt_env', 'prompt_version', 'since', 'until'] as const
export type RunFilters = Partial<Record<(typeof RUN_FILTERS)[number], string>>

/** The list of runs with these filters, as its search field holds them. */
export function runsWith(workspace: string, filters: RunFilters): RouteLocationRaw {
  const tokens = RUN_FILTERS.flatMap((name) => (filters[name] === undefined ? [] : [{ name, value: filters[name] }]))
  return { name: 'runs', params: { workspace }, query: { q: formatSearch({ filters: tokens, text: '' }) } }
}

/** A moment as the API takes it, without milliseconds: it stands in an address. */
export function moment(at: Date | number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
