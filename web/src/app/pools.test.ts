import { describe, expect, it } from 'vitest'

import { isPool, poolNames } from './pools'

describe('pools', () => {
  it('are named as the platform names them', () => {
    expect(['', 'gpu', 'eu-west_1', '0', 'x'.repeat(63)].every(isPool)).toBe(true)
    expect(['GPU', '-gpu', 'g p u', 'größe', 'x'.repeat(64)].some(isPool)).toBe(false)
  })

  it('are offered once each, without the platform itself', () => {
    expect(poolNames([{ pool: 'gpu' }], [{ pool: '' }, { pool: 'eu' }, { pool: 'gpu' }])).toEqual(['eu', 'gpu'])
  })
})
