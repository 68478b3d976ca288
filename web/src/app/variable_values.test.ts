import { expect, it } from 'vitest'

import { variablesToSend } from './variable_values'

it('sends what has a value, lists as lists', () => {
  const inputs = [{ name: 'shop', isList: false }, { name: 'history', isList: true }, { name: 'empty', isList: false }]
  expect(variablesToSend(inputs, { shop: 'A', history: '[{"role": "user", "content": "Hi"}]', other: 'x' })).toEqual({ variables: { shop: 'A', history: [{ role: 'user', content: 'Hi' }] }, problem: '' })
  expect(variablesToSend(inputs, { history: 'Hi' }).problem).toBe('history')
})
