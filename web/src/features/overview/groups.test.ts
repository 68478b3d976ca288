// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { EMPTY, filterOf, nameOf, rowsOf } from './groups'
import type { Stats } from './queries'
import { windowOf } from './ranges'

const NOW = new Date('2026-03-14T09:26:53Z')
const figures = { total: 1 } as Schemas['RunFigures']
const prompt = { key: 'reply', env: 'prod', version: 'v3' }
const stats = {
  series: [
    { group: 'reply@v3 (prod)', prompt, figures, points: [{ start: '2026-03-14T09:00:00Z', calls: 3 }] },
    { group: '', prompt: null, figures, points: [] },
    { group: null, prompt: null, figures, points: [] },
  ],
} as unknown as Stats

describe('groups', () => {
  const rows = rowsOf(stats, windowOf('24h', NOW), 'calls', NOW.getTime())

  it('have a line up to now, as high as there is room', () => {
    expect(rows[0]?.line).toHaveLength(24)
    expect(rows[0]?.line.slice(-2)).toEqual([0, 100])
    expect(rows[1]?.line.every((value) => value === 0)).toBe(true)
  })

  it('lead to their runs, where runs can be found by them', () => {
    expect(rows.map((row) => filterOf(row, 'prompt_version'))).toEqual([{ prompt: 'reply', prompt_env: 'prod', prompt_version: 'v3' }, null, null])
    expect(filterOf({ ...rows[0]!, id: 'gpt-5' }, 'model')).toEqual({ model: 'gpt-5' })
  })

  it('have a name each, also without one', () => {
    expect(rows.map((row) => nameOf(row, (key) => key))).toEqual(['reply v3', 'overview.none', 'overview.others'])
    expect(rows[1]?.id).toBe(EMPTY)
  })
})
