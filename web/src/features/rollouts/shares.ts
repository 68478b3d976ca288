import { BASIS_POINTS } from './bucketing'

export interface Variant {
  name: string
  version: string
  /** In basis points. */
  weight: number
}

export interface Range {
  from: number
  /** Exclusive. */
  to: number
}

/** Fewest and most variants of a rollout, as the platform takes them. */
export const FEWEST = 2
export const MOST = 20
const NAMES = ['control', 'variant', 'third', 'fourth']

/** The buckets of each variant: ranges follow one another in their order. */
export function rangesOf(weights: readonly number[]): Range[] {
  let from = 0
  return weights.map((weight) => ({ from, to: (from += weight) }))
}

/** The index of the variant whose range holds `bucket`; one of weight 0 holds none. */
export function indexAt(weights: readonly number[], bucket: number): number {
  return rangesOf(weights).findIndex(({ from, to }) => from <= bucket && bucket < to)
}

/** Weights after the boundary behind variant `index` was moved; it stays between its neighbours. */
export function withBoundary(weights: readonly number[], index: number, position: number): number[] {
  const { from } = rangesOf(weights)[index] as Range
  const { to } = rangesOf(weights)[index + 1] as Range
  const at = Math.round(Math.max(from, Math.min(position, to)))
  return weights.map((weight, variant) => (variant === index ? at - from : variant === index + 1 ? to - at : weight))
}

/** Weights after one of them was set; the next variant gives or takes, for the last one the one before. */
export function withWeight(weights: readonly number[], index: number, weight: number): number[] {
  const other = index + 1 < weights.length ? index + 1 : index - 1
  const both = (weights[index] as number) + (weights[other] as number)
  const next = Math.round(Math.max(0, Math.min(weight, both)))
  return weights.map((old, position) => (position === index ? next : position === other ? both - next : old))
}

/** Even weights; what does not divide goes to the first ones. */
export function evenWeights(count: number): number[] {
  const base = Math.floor(BASIS_POINTS / count)
  return Array.from({ length: count }, (_, index) => base + (index < BASIS_POINTS % count ? 1 : 0))
}

/** The list with one more variant at its end, which has no share yet. */
export function withVariant(variants: readonly Variant[], version: string): Variant[] {
  const taken = new Set(variants.map((variant) => variant.name))
  let number = variants.length + 1
  while (taken.has(`variant-${number}`)) number += 1
  const name = NAMES.find((one) => !taken.has(one)) ?? `variant-${number}`
  return [...variants, { name, version, weight: 0 }]
}

/** The list without one; its share goes to the variant before it, that of the first one to the next. */
export function withoutVariant(variants: readonly Variant[], index: number): Variant[] {
  const heir = index === 0 ? 1 : index - 1
  const share = variants[index]?.weight ?? 0
  return variants.map((variant, position) => (position === heir ? { ...variant, weight: variant.weight + share } : variant)).filter((_, position) => position !== index)
}

export interface Move {
  from: string
  to: string
  count: number
}

/** How many buckets go from which variant to which, the most first. */
export function movesBetween(before: readonly Variant[], after: readonly Variant[]): Move[] {
  const [old, next] = [rangesOf(before.map((one) => one.weight)), rangesOf(after.map((one) => one.weight))]
  const moves = new Map<string, Move>()
  old.forEach((range, i) => {
    next.forEach((other, j) => {
      const count = Math.min(range.to, other.to) - Math.max(range.from, other.from)
      const [from, to] = [before[i]?.name ?? '', after[j]?.name ?? '']
      if (count <= 0 || from === to) return
      const move = moves.get(`${from}\n${to}`) ?? { from, to, count: 0 }
      moves.set(`${from}\n${to}`, { ...move, count: move.count + count })
    })
  })
  return [...moves.values()].sort((a, b) => b.count - a.count)
}

/** The stretches of the bar whose subjects get another variant than before. */
export function movedRanges(before: readonly Variant[], after: readonly Variant[]): Range[] {
  const edges = [...new Set([...rangesOf(before.map((one) => one.weight)), ...rangesOf(after.map((one) => one.weight))].flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b)
  const nameAt = (variants: readonly Variant[], bucket: number) => variants[indexAt(variants.map((one) => one.weight), bucket)]?.name
  const ranges: Range[] = []
  edges.slice(0, -1).forEach((from, index) => {
    const to = edges[index + 1] as number
    if (nameAt(before, from) === nameAt(after, from)) return
    const last = ranges.at(-1)
    if (last?.to === from) last.to = to
    else ranges.push({ from, to })
  })
  return ranges
}

/** What keeps these variants from being saved, as the last part of a message's key. */
export function problemOf(variants: readonly Variant[]): 'names' | 'empty' | 'versions' | null {
  const names = variants.map((variant) => variant.name.trim())
  if (names.some((name) => !name || /\s/u.test(name))) return 'empty'
  if (new Set(names).size < names.length) return 'names'
  return variants.every((variant) => variant.version) ? null : 'versions'
}
