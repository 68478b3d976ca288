import { expect, it } from 'vitest'

import { parseSearch } from '@/ui/tokens'

import { moment, RUN_FILTERS, runsWith } from './run_links'

it('leads to the runs whose filters the search field reads again', () => {
  const filters = { key: 'a "b" c', since: moment(new Date('2026-03-14T09:26:53.123Z')), status: 'error' }
  const link = runsWith('default', filters) as { query: { q: string } }
  const { filters: tokens, text } = parseSearch(link.query.q, RUN_FILTERS)
  expect(Object.fromEntries(tokens.map(({ name, value }) => [name, value]))).toEqual(filters)
  expect(filters.since).toBe('2026-03-14T09:26:53Z')
  expect(text).toBe('')
})
