import { describe, expect, it } from 'vitest'

import { best, partsOf, score } from './fuzzy'

describe('ids', () => {
  it('are split at separators and in camelCase', () => {
    expect(partsOf('support-reply_v2/Draft.textOfMail')).toEqual(['support', 'reply', 'v2', 'draft', 'text', 'of', 'mail'])
  })

  it('fit by the beginnings of their parts, in any order', () => {
    expect(best(['mail.digest', 'support.reply', 'reply'], 're su', (id) => id)).toEqual(['support.reply'])
    expect(best(['support.reply', 'reply'], 'rep', (id) => id)).toEqual(['reply', 'support.reply'])
    expect(score('support.reply', 'zzz')).toBe(0)
  })
})
