import type { Schemas } from '@/api/client'
import { formatCompact, UNKNOWN } from '@/app/format'

type Price = Schemas['Price']

export interface PriceRow extends Price {
  id: string
  /** The lengths of prompts that it holds for; empty for all. */
  bounds: string
  /** The host of the source, where that is an address. */
  link: string
}

/** By provider and model, of one model the newest first. */
export function rowsOf(prices: readonly Price[]): PriceRow[] {
  return prices
    .map((price) => ({ ...price, id: [price.provider, price.model, price.min_prompt_tokens, price.valid_from].join(' '), bounds: boundsOf(price), link: hostOf(price.source) }))
    .sort((a, b) => a.provider.localeCompare(b.provider) || a.model.localeCompare(b.model) || b.valid_from.localeCompare(a.valid_from) || a.min_prompt_tokens - b.min_prompt_tokens)
}

function boundsOf({ min_prompt_tokens: least, max_prompt_tokens: most }: Price): string {
  if (most != null) return least ? `${formatCompact(least)}–${formatCompact(most)}` : `≤ ${formatCompact(most)}`
  return least ? `≥ ${formatCompact(least)}` : ''
}

function hostOf(source: string): string {
  try {
    const { protocol, host } = new URL(source)
    return protocol === 'https:' || protocol === 'http:' ? host : ''
  } catch {
    return ''
  }
}

/** Dollars a million tokens: two decimals, or as many as a small price needs. */
export function formatPrice(dollars: number | null | undefined): string {
  if (dollars == null) return UNKNOWN
  const decimals = String(dollars).split('.')[1]?.length ?? 0
  return `$${dollars.toFixed(Math.max(decimals, 2))}`
}

export interface Unpriced {
  name: string
  runs: number
}

/** The models of which some runs have no whole cost, those of most such runs first. */
export function unpricedOf(series: readonly Schemas['StatsSeries'][]): Unpriced[] {
  return series
    .flatMap(({ group, figures }) => (group && figures.cost_unknown ? [{ name: group, runs: figures.cost_unknown }] : []))
    .sort((a, b) => b.runs - a.runs)
}
