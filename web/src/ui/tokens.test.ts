import { describe, expect, it } from 'vitest'

import { formatSearch, parseSearch } from './tokens'

const NAMES = ['env', 'tag']

describe('a search', () => {
  it('has tokens of known names, and text', () => {
    expect(parseSearch('env:prod refund tag:"two words" other:thing', NAMES)).toEqual({
      filters: [{ name: 'env', value: 'prod' }, { name: 'tag', value: 'two words' }],
      text: 'refund other:thing',
    })
  })

  it.each(['env:prod', 'tag:"a b" text', 'tag:"say \\"hi\\"" x', '中文 env:测试', ''])('is the same after a round trip: %s', (source) => {
    const search = parseSearch(source, NAMES)
    expect(parseSearch(formatSearch(search), NAMES)).toEqual(search)
  })
})
