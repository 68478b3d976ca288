/** What the strip shows of one run. */
export interface StripPoint {
  at: number
  ms: number
  status: 'running' | 'ok' | 'error'
}

export const RANGES = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 } as const
export type Range = keyof typeof RANGES
const MOST_LABELS = 4
/** Of the whole range, what a click chooses. */
const CLICKED_SHARE = 1 / 40

export interface Scale {
  /** Powers of ten, in ms, between which all latencies lie. */
  decades: number[]
  /** Those of them that are written beside the strip. */
  labels: number[]
  /** From the top, as a share of the height. */
  y: (ms: number) => number
}

/** A logarithmic scale over at least two decades. */
export function scaleOf(latencies: readonly number[]): Scale {
  const measured = latencies.filter((ms) => ms > 0)
  const exponent = (ms: number) => Math.log10(Math.max(ms, 1))
  const low = measured.length ? Math.floor(exponent(Math.min(...measured))) : 2
  const high = Math.max(measured.length ? Math.ceil(exponent(Math.max(...measured)) + 0.05) : 4, low + 2)
  const decades = Array.from({ length: high - low + 1 }, (_decade, index) => 10 ** (low + index))
  const every = Math.ceil(decades.length / MOST_LABELS)
  return { decades, labels: decades.filter((_decade, index) => (decades.length - 1 - index) % every === 0), y: (ms) => 1 - Math.min(1, Math.max(0, (exponent(ms) - low) / (high - low))) }
}

/** The time between two places of the strip, given as shares of its width; a click is both at once. */
export function chosenTime(from: number, to: number, start: number, end: number): { since: Date; until: Date } {
  const clamp = (share: number) => Math.min(1, Math.max(0, share))
  const [left, right] = from < to ? [from, to] : [to, from]
  const isClick = right - left < CLICKED_SHARE / 4
  const a = clamp(isClick ? left - CLICKED_SHARE / 2 : left)
  const b = clamp(isClick ? right + CLICKED_SHARE / 2 : right)
  const at = (share: number) => new Date(start + share * (end - start))
  return { since: at(a), until: at(b) }
}

/** Four times of the day along the strip, as shares of its width. */
export function timeTicks(start: number, end: number): { share: number; at: Date }[] {
  return [0, 0.25, 0.5, 0.75].map((share) => ({ share, at: new Date(start + share * (end - start)) }))
}
