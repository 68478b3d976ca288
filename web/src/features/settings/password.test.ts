import { describe, expect, it } from 'vitest'

import { generatePassword } from './password'

describe('a generated password', () => {
  it('has four groups of letters that can be told apart, and never comes twice', () => {
    const passwords = Array.from({ length: 200 }, generatePassword)
    expect(new Set(passwords).size).toBe(200)
    for (const password of passwords) expect(password).toMatch(/^([a-km-np-zA-HJ-NP-Z2-9]{5}-){3}[a-km-np-zA-HJ-NP-Z2-9]{5}$/)
  })
})
