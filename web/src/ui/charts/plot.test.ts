import { expect, it } from 'vitest'

import { lastKnown, pointsOf } from './plot'

it('draws the newest point, and those that would be no line', () => {
  expect(pointsOf({ values: [1, 2, null, 3, null, 4, 5, null], ink: 'now' })).toEqual([3, 6])
  expect(pointsOf({ values: [1, 2, null, 3, null, 4, 5], ink: 'then' })).toEqual([3])
  expect(pointsOf({ values: [null, null], ink: 'now' })).toEqual([])
  expect(lastKnown([0, 7, null])).toBe(1)
})
