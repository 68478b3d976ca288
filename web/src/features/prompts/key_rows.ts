import type { Schemas } from '@/api/client'
import type { Facet } from '@/ui/Facets.vue'
import type { Search } from '@/ui/tokens'

export type PromptKey = Schemas['PromptKey']
export type KeyEnvironment = Schemas['KeyEnvironment']
export type KeyState = PromptKey['state']
type Facets = Schemas['PromptFacets']

/** What a search can be kept to, in the order of the pane of facets. */
export const KEY_FILTERS = ['state', 'env', 'client', 'tag', 'category', 'model', 'author'] as const
export type KeyFilterName = (typeof KEY_FILTERS)[number]

/** The parameters of the list; of a filter that stands twice, the first counts. */
export function queryOf({ filters, text }: Search, environment: string) {
  const value = (name: KeyFilterName) => filters.find((filter) => filter.name === name)?.value || undefined
  return {
    q: text || undefined,
    env: value('env') ?? (environment || undefined),
    state: value('state') as KeyState | undefined,
    tag: value('tag'),
    category: value('category'),
    model: value('model'),
    author: value('author'),
    client: value('client'),
  }
}

export type KeyQuery = ReturnType<typeof queryOf>

/** Counts for the pane; a value that is chosen stays there, though nothing is left of it. */
export function facetsOf(counts: Facets, search: Search, environments: string[], label: (name: KeyFilterName, value?: string) => string): Facet[] {
  const place = (value: string) => (environments.includes(value) ? environments.indexOf(value) : environments.length)
  return KEY_FILTERS.map((name) => {
    const values: Facet['values'] = counts[name].map((one) => ({ ...one, label: name === 'state' ? label(name, one.value) : undefined }))
    for (const filter of search.filters) {
      if (filter.name === name && !values.some((one) => one.value === filter.value)) values.push({ value: filter.value, count: 0 })
    }
    // Those of the workspace in their own order, not by their counts.
    if (name === 'env') values.sort((one, other) => place(one.value) - place(other.value))
    return { name, label: label(name), values }
  }).filter((facet) => facet.values.length > 0)
}

/** What cells of a row say in the language that is shown. */
export interface KeyTexts { draft: string; states: Record<KeyState, string> }

export type VersionLook = 'none' | 'draft' | 'same' | 'different'

/** How a version stands to that of the last environment: what is the same is quiet. */
export function versionLook(row: PromptKey, env: string, last: string | undefined): { look: VersionLook; version: string; isAhead: boolean } {
  const here = row.environments.find((one) => one.env === env)
  if (!here) return { look: 'none', version: '', isAhead: false }
  if (here.version === null) return { look: 'draft', version: '', isAhead: false }
  const there = row.environments.find((one) => one.env === last)
  const isSame = env !== last && there?.version === here.version
  return { look: isSame ? 'same' : 'different', version: here.version, isAhead: here.state === 'draft' }
}

export interface Ramp { shares: number[]; version: string; percent: string; count: number }

/** The shares of the rollout that makes a key ramp, and the version that it leads to. */
export function rampOf(row: PromptKey): Ramp | null {
  const variants = (row.environments.find((one) => one.state === 'ramping')?.variants ?? []) as { version: string; weight: number }[]
  const newest = variants.at(-1)
  if (!newest) return null
  return { shares: variants.map((variant) => variant.weight), version: newest.version, percent: String(newest.weight / 100), count: variants.length }
}

/** Where the row leads: to the environment that is looked at, else to the one that the state is of. */
export function environmentToOpen(row: PromptKey, env: string | undefined): string {
  const rows = row.environments
  const environment = rows.find((one) => one.env === env) ?? rows.find((one) => one.state === row.state) ?? rows[0]
  return environment?.env ?? ''
}
