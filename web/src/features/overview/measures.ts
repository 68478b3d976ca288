import type { Schemas } from '@/api/client'
import { formatCompact, formatCost, formatCount, formatDuration, formatPercent } from '@/app/format'

export type Figures = Schemas['RunFigures']
export const MEASURES = ['calls', 'tokens', 'cost', 'p50', 'p95', 'p99', 'errors'] as const
export type Measure = (typeof MEASURES)[number]

/** What figures say of a measure; null where they say nothing, which is not 0. Latencies in ms, errors as a share. */
export function valueOf(figures: Figures, measure: Measure): number | null {
  switch (measure) {
    case 'calls':
      return figures.calls
    case 'tokens':
      return figures.prompt_tokens + figures.output_tokens
    case 'cost':
      return figures.cost_usd
    case 'errors':
      return figures.total ? figures.error / figures.total : null
    default:
      return figures.latency_ms[measure]
  }
}

/** Whether the sum over a time without runs is 0, and not unknown. */
export function isSum(measure: Measure): boolean {
  return ['calls', 'tokens', 'cost'].includes(measure)
}

export function formatMeasure(measure: Measure, value: number | null | undefined): string {
  if (measure === 'cost') return formatCost(value)
  if (measure === 'errors') return formatPercent(value)
  return ['calls', 'tokens'].includes(measure) ? formatCount(value) : formatDuration(value)
}

/** The same for the side of a chart, where there is little room. */
export function formatTick(measure: Measure, value: number): string {
  if (measure === 'calls' || measure === 'tokens') return formatCompact(value)
  if (measure === 'cost') return value === 0 ? '$0' : `$${Number(value.toPrecision(2))}`
  if (measure === 'errors') return `${Number((value * 100).toPrecision(2))} %`
  return value < 1000 ? `${Math.round(value)} ms` : `${Number((value / 1000).toPrecision(2))} s`
}
