import { expect, it } from 'vitest'

import { linesOf, questionOf } from './entries'

const NOW = new Date('2026-03-14T09:26:53Z').getTime()

it('asks by the filters, for the key by what is typed, and from an hour on', () => {
  expect(questionOf('actor:ada action:publish greeting', '24h', 'default', NOW)).toEqual({ workspace: 'default', since: '2026-03-13T09:00:00Z', actor: 'ada', action: 'publish', key: 'greeting' })
  expect(questionOf('', 'any', undefined, NOW)).toEqual({})
})

it('prefers a time that is typed', () => {
  expect(questionOf('since:2026-01-01T00:00:00Z', '7d', undefined, NOW)).toEqual({ since: '2026-01-01T00:00:00Z' })
})

it('compares states field by field, long texts as they are', () => {
  expect(linesOf({ content: 'one\ntwo', tags: ['a'], weight: null })).toBe('content: one\ntwo\ntags: [\n  "a"\n]\nweight: null')
  expect(linesOf(null)).toBe('')
})
