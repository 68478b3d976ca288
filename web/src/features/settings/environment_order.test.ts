import { describe, expect, it } from 'vitest'

import { moved } from './environment_order'

const items = ['dev', 'test', 'prod'].map((name) => ({ name, protected: name === 'prod' }))
const names = (from: number, to: number) => moved(items, from, to).map((one) => one.name)

describe('the order of environments', () => {
  it('puts one at another place and keeps its protection', () => {
    expect(names(2, 0)).toEqual(['prod', 'dev', 'test'])
    expect(names(0, 2)).toEqual(['test', 'prod', 'dev'])
    expect(moved(items, 2, 0)[0]).toEqual({ name: 'prod', protected: true })
  })

  it('stays the same beyond its ends, so that nothing is sent', () => {
    expect(moved(items, 0, -1)).toBe(items)
    expect(moved(items, 2, 3)).toBe(items)
    expect(moved(items, 1, 1)).toBe(items)
  })
})
