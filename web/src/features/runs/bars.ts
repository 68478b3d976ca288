import type { Schemas } from '@/api/client'

export interface Bar {
  /** Of the step; -1 is the run itself. */
  index: number
  name: string
  type: string
  /** Begin and length as shares of the whole time. */
  from: number
  width: number
  ms: number
  attempts: number
  isFailed: boolean
  isRunning: boolean
}

const TICKS = 5

/** A run and its steps on one scale of time; `ticks` are in ms. */
export function barsOf(run: Schemas['RunDetail'], now = Date.now()): { rows: Bar[]; ticks: number[] } {
  const start = new Date(run.created_at).getTime()
  const steps = run.steps.map((step) => ({ step, begin: Math.max(new Date(step.start).getTime() - start, 0), ms: step.duration * 1000 }))
  const own = run.status === 'running' ? now - start : run.latency_ms
  const whole = Math.max(own, ...steps.map(({ begin, ms }) => begin + ms), 1)
  const rows = steps.map(({ step, begin, ms }, index): Bar => ({
    index,
    name: step.name,
    type: step.type,
    from: begin / whole,
    width: ms / whole,
    ms,
    attempts: step.attempts,
    isFailed: step.error !== null && step.error !== '',
    isRunning: step.state === 'running',
  }))
  const total: Bar = { index: -1, name: run.ref_key || run.source, type: run.source, from: 0, width: own / whole, ms: own, attempts: 1, isFailed: false, isRunning: run.status === 'running' }
  return { rows: [total, ...rows], ticks: Array.from({ length: TICKS }, (_tick, index) => (whole * index) / (TICKS - 1)) }
}
