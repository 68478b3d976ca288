import { describe, expect, it } from 'vitest'

import { chosenTime, scaleOf, timeTicks } from './strip'

describe('the scale of latencies', () => {
  it('holds all of them between powers of ten', () => {
    const { decades, y } = scaleOf([40, 900, 31_000])
    expect(decades).toEqual([10, 100, 1000, 10_000, 100_000])
    expect(scaleOf([40, 31_000]).labels).toEqual([10, 1000, 100_000])
    expect(y(10)).toBe(1)
    expect(y(100_000)).toBe(0)
    expect(y(1000)).toBeCloseTo(0.5)
  })

  it('takes what has no latency yet', () => {
    expect(scaleOf([]).decades).toEqual([100, 1000, 10_000])
    expect(scaleOf([0, 0]).y(0)).toBe(1)
    expect(scaleOf([5, 5]).decades).toHaveLength(3)
  })
})

describe('the time that is chosen in the strip', () => {
  it('lies between the two places, whichever came first', () => {
    const there = chosenTime(0.25, 0.75, 0, 1000)
    expect([there.since.getTime(), there.until.getTime()]).toEqual([250, 750])
    expect(chosenTime(0.75, 0.25, 0, 1000)).toEqual(there)
  })

  it('lies around a click, and never beyond the strip', () => {
    const { since, until } = chosenTime(0.5, 0.5, 0, 4000)
    expect([since.getTime(), until.getTime()]).toEqual([1950, 2050])
    expect(chosenTime(0, 0, 0, 4000).since.getTime()).toBe(0)
    expect(chosenTime(1.2, 1, 0, 4000).until.getTime()).toBe(4000)
  })

  it('has four ticks', () => {
    expect(timeTicks(0, 100).map(({ at }) => at.getTime())).toEqual([0, 25, 50, 75])
  })
})
