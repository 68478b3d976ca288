import { describe, expect, it } from 'vitest'

import { sortComplaint } from './form'

describe('a sentence of the platform', () => {
  it('stands at the field that it begins with', () => {
    expect(sortComplaint("slug: 'shop' is taken; choose another one", ['name', 'slug'])).toEqual({ fields: { slug: "'shop' is taken; choose another one" }, rest: '' })
  })

  it('about an item stands at the whole field', () => {
    expect(sortComplaint('environments.0.name: is required', ['environments']).fields).toEqual({ environments: 'is required' })
  })

  it('about another field, or none, stands below the form', () => {
    expect(sortComplaint('role: is unknown', ['name'])).toEqual({ fields: {}, rest: 'role: is unknown' })
    expect(sortComplaint("'ada' is the last admin; make another one first", ['role']).rest).toContain('last admin')
  })
})
