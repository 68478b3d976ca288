import { describe, expect, it } from 'vitest'

import { includes } from './session'
import { roleIn } from './workspace'

describe('roles', () => {
  it('include those below them', () => {
    expect(includes('admin', 'editor')).toBe(true)
    expect(includes('editor', 'editor')).toBe(true)
    expect(includes('viewer', 'editor')).toBe(false)
  })

  it('of a restricted workspace count alone, also where the own role is higher', () => {
    expect(includes(roleIn({ role: 'viewer' }, 'editor'), 'editor')).toBe(false)
    expect(includes(roleIn({ role: 'editor' }, 'viewer'), 'editor')).toBe(true)
    expect(roleIn(undefined, 'editor')).toBe('editor')
  })
})
