import { useQueryCache } from '@pinia/colada'
import { computed } from 'vue'

import type { Schemas } from '@/api/client'
import { usePagedList, type Page } from '@/app/paged_list'
import { useUrlState } from '@/app/url_state'
import { parseSearch } from '@/ui/tokens'

export type User = Schemas['User']
export type Workspace = Schemas['Workspace']
export type Member = Schemas['Member']
export type ApiKey = Schemas['ApiKey']
export type Connection = Schemas['Connection']

/** A page of one of the lists, as the address asks for it. */
export interface Asked {
  q?: string
  sort?: never
  limit: number
  offset: number
  [filter: string]: unknown
}

export type SettingsRows<Row> = ReturnType<typeof usePagedList<Row>>

/** The list that the search and the order in the address ask for; `names` are its filters. */
export function useSettingsList<Row>(name: string, options: { scope?: () => string; names?: readonly string[]; fetch: (asked: Asked) => Promise<Page<Row>> }) {
  const search = useUrlState('q')
  const sort = useUrlState('sort')
  const asked = computed(() => {
    const { filters, text } = parseSearch(search.value, options.names ?? [])
    return { ...Object.fromEntries(filters.map(({ name: field, value }) => [field, value])), q: text || undefined, sort: sort.value || undefined }
  })
  return usePagedList<Row>({
    key: () => [name, 'list', options.scope?.() ?? '', JSON.stringify(asked.value)],
    fetchPage: (offset, limit) => options.fetch({ ...asked.value, offset, limit } as Asked),
  })
}

/** Ask again for what one of these lists, or another part of the console, shows of `names`. */
export function useRefresh() {
  const cache = useQueryCache()
  return async (...names: string[]): Promise<void> => {
    await Promise.all(names.map((name) => cache.invalidateQueries({ key: [name] })))
  }
}
