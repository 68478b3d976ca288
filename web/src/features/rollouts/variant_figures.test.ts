import { describe, expect, it } from 'vitest'

import { beginOf, figuresOf, type Figures } from './variant_figures'

const figures = (calls: number) => ({ calls }) as Figures
const series = (version: string | null, calls: number) => ({ group: version, prompt: version === null ? null : { key: 'reply', env: 'prod', version }, definition: null, figures: figures(calls), points: [] })
const VARIANTS = [{ name: 'old', version: 'v1', weight: 9000 }, { name: 'new', version: 'v2', weight: 1000 }]

describe('figuresOf', () => {
  it('gives each variant the figures of its version', () => {
    expect(figuresOf(VARIANTS, [series('v2', 3), series('v1', 9), series('draft', 1)]).map((row) => row.figures)).toEqual([figures(9), figures(3)])
  })

  it('tells a version without runs from one whose figures are not known', () => {
    expect(figuresOf(VARIANTS, [series('v1', 9)]).map((row) => row.figures)).toEqual([figures(9), null])
    expect(figuresOf(VARIANTS, [series('v1', 9), series(null, 5)]).map((row) => row.figures)).toEqual([figures(9), undefined])
    expect(figuresOf(VARIANTS, undefined).map((row) => row.figures)).toEqual([undefined, undefined])
  })
})

it('a period begins at a whole hour', () => {
  expect(beginOf('7', Date.parse('2026-03-14T15:59:30Z'))).toBe('2026-03-07T15:00:00Z')
})
