import { api, body } from '@/api/client'
import { prepareList, type Page } from '@/app/paged_list'
import type { PageAddress } from '@/app/router'
import { parseSearch } from '@/ui/tokens'

import { KEY_FILTERS, queryOf, type KeyQuery, type PromptKey } from './key_rows'

export type KeySort = 'key' | '-key' | 'name' | '-name' | 'state' | '-state' | 'updated_at' | '-updated_at'

export const NEWEST = '-updated_at'

/** Under which key the list is cached, and how a page of it is fetched. */
export function keyList(workspace: string, asked: KeyQuery, sort: KeySort) {
  const query = { ...asked, workspace, sort }
  return {
    key: ['prompts', 'keys', JSON.stringify(query)],
    fetchPage: async (offset: number, limit: number): Promise<Page<PromptKey>> => body(await api.GET('/api/prompt-keys', { params: { query: { ...query, offset, limit } } })),
  }
}

/** Ask for the list that an address shows. */
export function prepareKeyList({ params, query }: PageAddress): Promise<void> {
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  const asked = queryOf(parseSearch(text(query.q), KEY_FILTERS), text(query.env))
  const { key, fetchPage } = keyList(text(params.workspace), asked, (text(query.sort) || NEWEST) as KeySort)
  return prepareList(key, fetchPage)
}
