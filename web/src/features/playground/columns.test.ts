import { describe, expect, it } from 'vitest'

import { decodeColumns, encodeColumns, newColumn, summaryOf } from './columns'

const choice = { version: 'v3', provider: 'openai', model: 'gpt-5-mini', parameters: { temperature: 0.2 } }

describe('the columns in an address', () => {
  it('are the same after a round trip', () => {
    const columns = [newColumn(choice), newColumn({ version: 'draft', provider: 'mock', model: '', parameters: {} })]
    expect(decodeColumns(encodeColumns(columns))).toEqual(columns.map(({ version, provider, model, parameters }) => ({ version, provider, model, parameters })))
  })

  it('hold neither the key nor the base address', () => {
    const text = encodeColumns([newColumn(choice, { apiKey: 'sk-secret', baseUrl: 'http://user:pass@house' })])
    expect(text).not.toMatch(/sk-secret|house/u)
  })

  it.each(['', '{', '{}', '[1, null, {"v": 1, "p": "mock"}]', '"text"'])('are none where it says nothing readable: %s', (text) => {
    expect(decodeColumns(text)).toEqual([])
  })

  it('are at most four', () => {
    expect(decodeColumns(encodeColumns([1, 2, 3, 4, 5].map(() => newColumn(choice))))).toHaveLength(4)
  })
})

it('names parameters shortly and leaves out what is not set', () => {
  expect(summaryOf({ temperature: 0.2, max_tokens: 800, seed: '', stop: ['a'] })).toEqual([{ name: 'temp', value: '0.2' }, { name: 'max', value: '800' }, { name: 'stop', value: '["a"]' }])
})
