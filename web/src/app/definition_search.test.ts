import { expect, it } from 'vitest'

import { definitionQuery } from './definition_search'

it.each([
  ['', {}],
  ['two words', { q: 'two words' }],
  ['tag:mail refund tag:"a b" env:prod', { q: 'refund env:prod', tag: 'mail,a b' }],
])('asks for %j', (search, query) => {
  expect(definitionQuery(search)).toEqual(query)
})
