import { describe, expect, it } from 'vitest'

import { expiryOf } from './key_form'

const now = new Date('2026-03-14T09:00:00Z')

describe('the expiry of a key', () => {
  it('counts days from now, or is never', () => {
    expect(expiryOf('never', '', now)).toBeNull()
    expect(expiryOf('30', '', now)).toBe('2026-04-13T09:00:00.000Z')
  })

  it('of a date is the end of that day where the user is', () => {
    const end = new Date(expiryOf('date', '2026-05-01', now) ?? '')
    expect([end.getFullYear(), end.getMonth(), end.getDate(), end.getHours()]).toEqual([2026, 4, 1, 23])
  })
})
