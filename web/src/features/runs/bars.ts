import type { Schemas } from '@/api/client'
import { RUNNING } from '@/app/runs/run_events'

export interface Bar {
  /** Of the step; -1 is the run itself. */
  index: number
  name: string
  type: string
  /** Begin and length as shares of the whole time. */
  from: number
  width: number
  /** What it waited before that, as a share that ends at `from`. */
  waited: number
  ms: number
  attempts: number
  isFailed: boolean
  /** It was under way when the run was cancelled. */
  isCancelled: boolean
  isRunning: boolean
  /** It was not executed: its output comes from the run that this one continues. */
  isReused: boolean
  isSkipped: boolean
  /** Of a map. */
  items: Schemas['RunStep']['items']
}

export interface Bars {
  rows: Bar[]
  /** In ms, at round times. */
  ticks: number[]
  /** The whole time in ms. */
  whole: number
}

const MOST_TICKS = 7
/** As Prefect names the state. */
const CANCELLED = 'Cancelled'
const ROUND = [1, 2, 5]

/** A run and its steps on one scale of time. */
export function barsOf(run: Schemas['RunDetail'], now = Date.now()): Bars {
  const start = new Date(run.created_at).getTime()
  const own = run.status === 'running' ? Math.max(now - start, 0) : run.latency_ms
  const steps = run.steps.map((step) => {
    const begin = Math.max(new Date(step.start).getTime() - start, 0)
    return { step, begin, ms: step.state === RUNNING ? Math.max(own - begin, 0) : step.duration * 1000 }
  })
  const whole = Math.max(own, ...steps.map(({ begin, ms }) => begin + ms), 1)
  const rows = steps.map(({ step, begin, ms }, index): Bar => ({
    index,
    name: step.name,
    type: step.type,
    from: begin / whole,
    width: ms / whole,
    waited: 0,
    ms,
    attempts: step.attempts,
    isFailed: step.error !== null && step.error !== '' && step.state !== CANCELLED,
    isCancelled: step.state === CANCELLED,
    isRunning: step.state === RUNNING,
    isReused: step.reused,
    isSkipped: step.state === 'Skipped',
    items: step.items,
  }))
  const waited = Math.min(run.waited_ms ?? own, own) / whole
  const total: Bar = { index: -1, name: run.ref_key || run.source, type: run.source, from: waited, width: own / whole - waited, waited, ms: own, attempts: 1, isFailed: false, isCancelled: run.state === 'cancelled', isRunning: run.state === 'running', isReused: false, isSkipped: false, items: null }
  return { rows: [total, ...rows], ticks: roundTicks(whole), whole }
}

/** Round times from 0 up to the whole: 0, 200 ms, 400 ms and so on. */
export function roundTicks(whole: number): number[] {
  const power = 10 ** Math.floor(Math.log10(whole / MOST_TICKS || 1))
  const step = [...ROUND, 10].map((factor) => factor * power).find((size) => whole / size <= MOST_TICKS) ?? whole
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_tick, index) => index * step)
}
