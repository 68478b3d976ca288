// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { byLevel } from './findings'
import { formatPrice, rowsOf, unpricedOf } from './price_table'

const price = (fields: Partial<Schemas['Price']>): Schemas['Price'] => ({ provider: 'openai', model: 'gpt-5', input: 1, cached_input: null, output: 2, min_prompt_tokens: 0, max_prompt_tokens: null, valid_from: '2026-01-01', source: 'our contract', ...fields })

describe('the table of prices', () => {
  it('is sorted, the newest price of a model first', () => {
    const rows = rowsOf([price({ valid_from: '2025-01-01' }), price({}), price({ provider: 'claude', model: 'opus' }), price({ model: 'gpt-4' })])
    expect(rows.map(({ provider, model, valid_from }) => `${provider} ${model} ${valid_from}`)).toEqual(['claude opus 2026-01-01', 'openai gpt-4 2026-01-01', 'openai gpt-5 2026-01-01', 'openai gpt-5 2025-01-01'])
    expect(new Set(rows.map(({ id }) => id)).size).toBe(4)
  })

  it('says for which prompts a price holds', () => {
    const bounds = [price({}), price({ min_prompt_tokens: 200_000 }), price({ max_prompt_tokens: 272_000 }), price({ min_prompt_tokens: 1000, max_prompt_tokens: 2000 })].map((one) => rowsOf([one])[0]?.bounds)
    expect(bounds).toEqual(['', '≥ 200K', '≤ 272K', '1K–2K'])
  })

  it('links to a source only where it is a web address', () => {
    const links = ['https://example.com/pricing', 'our contract', 'javascript:alert(1)'].map((source) => rowsOf([price({ source })])[0]?.link)
    expect(links).toEqual(['example.com', '', ''])
  })

  it.each([[2, '$2.00'], [0.125, '$0.125'], [0, '$0.00'], [null, '–']] as const)('shows %s as %s', (dollars, text) => {
    expect(formatPrice(dollars)).toBe(text)
  })

  it('names the models whose whole cost is not known', () => {
    const series = [['a', 0], ['b', 2], ['c', 9], [null, 4]].map(([group, cost_unknown]) => ({ group, figures: { cost_unknown } }) as Schemas['StatsSeries'])
    expect(unpricedOf(series)).toEqual([{ name: 'c', runs: 9 }, { name: 'b', runs: 2 }])
  })
})

describe('findings', () => {
  it('begin with what needs somebody', () => {
    const findings = (['ok', 'warning', 'ok', 'problem', 'warning'] as const).map((level, index) => ({ level, check: String(index), text: '', remedy: '' }))
    expect(byLevel(findings).map(({ check }) => check)).toEqual(['3', '1', '4', '0', '2'])
  })
})
