import { describe, expect, it } from 'vitest'

import { mergeTexts } from './merge'

describe('two edits of one text', () => {
  const base = 'one\ntwo\nthree\nfour\nfive'

  it('are merged where they touch different lines', () => {
    expect(mergeTexts(base, 'ONE\ntwo\nthree\nfour\nfive', 'one\ntwo\nthree\nfour\nfive\nsix')).toEqual({ text: 'ONE\ntwo\nthree\nfour\nfive\nsix', isClean: true })
  })

  it('stand side by side where they touch the same line', () => {
    const merge = mergeTexts(base, base.replace('three', '3'), base.replace('three', 'III'))
    expect(merge.isClean).toBe(false)
    expect(merge.text).toContain('<<<<<<<\n3\n=======\nIII\n>>>>>>>')
  })

  it('are one where both did the same', () => {
    expect(mergeTexts(base, base.replace('two', '2'), base.replace('two', '2'))).toEqual({ text: base.replace('two', '2'), isClean: true })
  })
})
