import { parseSearch } from '@/ui/tokens'

/** By what the lists of agents and workflows are narrowed, beside a text. */
export const DEFINITION_FILTERS = ['tag'] as const

/** The search of such a list as the API takes it; all of several tags must match. */
export function definitionQuery(search: string): { q?: string; tag?: string } {
  const { filters, text } = parseSearch(search, DEFINITION_FILTERS)
  const tag = filters.map(({ value }) => value).join(',')
  return { ...(text ? { q: text } : {}), ...(tag ? { tag } : {}) }
}
