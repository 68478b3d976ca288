import { expect, it } from 'vitest'

import { versionLabel } from './version'

it('writes versions of all definitions alike', () => {
  expect(['3', 'v3', 'draft', ''].map(versionLabel)).toEqual(['v3', 'v3', 'draft', ''])
})
