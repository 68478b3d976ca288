import { expect, test } from 'vitest'

import { PLACES } from './navigation'

test('every page has keys of its own', () => {
  const keys = PLACES.map((place) => place.key)
  expect(new Set(keys).size).toBe(keys.length)
})
