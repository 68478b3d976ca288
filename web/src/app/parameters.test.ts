import { describe, expect, it } from 'vitest'

import { otherParameters, readParameter, withOthers } from './parameters'

describe('a typed parameter', () => {
  it.each([
    ['temperature', '0.2', 0.2], ['max_tokens', '800', 800], ['top_p', '1', 1], ['seed', '-3', -3], ['stop', 'END', 'END'], ['stop', 'a, b', ['a', 'b']], ['seed', ' ', undefined],
  ])('%s of %s is read', (name, typed, value) => {
    expect(readParameter(name, typed)).toEqual(value === undefined ? { isValid: true } : { isValid: true, value })
  })

  it.each([['temperature', 'warm'], ['max_tokens', '0'], ['max_tokens', '1.5'], ['top_p', '2'], ['seed', '0.5']])('%s of %s is refused', (name, typed) => {
    expect(readParameter(name, typed).isValid).toBe(false)
  })
})

it('keeps the common parameters apart from the vendor\'s own', () => {
  expect(otherParameters({ temperature: 1, effort: 'low' })).toBe('{\n  "effort": "low"\n}')
  expect(withOthers({ temperature: 1, effort: 'low' }, '{"top_k": 5}')).toEqual({ temperature: 1, top_k: 5 })
  expect(withOthers({ temperature: 1, effort: 'low' }, '')).toEqual({ temperature: 1 })
  expect(withOthers({}, '[1]')).toBeNull()
  expect(withOthers({}, '{')).toBeNull()
})
