import { RUNNING, type LiveStep } from '@/app/runs/run_events'

/** A step of the run as the editor draws it. */
export interface TracedStep {
  name: string
  type: string
  state: 'running' | 'done' | 'failed' | 'skipped' | 'cached'
  /** Milliseconds; null while it runs. */
  ms: number | null
  text: string
  error: string
  attempts: number
  /** Why each failed attempt failed. */
  failures: string[]
  /** Of a map: how many items are done, of how many. */
  items: { completed: number; total: number } | null
}

/** The trace by the places of the definition: steps that run at once begin in any order, so that there may be gaps. */
export function tracedSteps(steps: readonly LiveStep[]): (TracedStep | undefined)[] {
  const trace: (TracedStep | undefined)[] = []
  for (const step of steps) trace[step.step - 1] = traced(step)
  return trace
}

const END_STATES: Record<string, TracedStep['state']> = { [RUNNING]: 'running', Skipped: 'skipped', Cached: 'cached' }

export function traced(step: LiveStep): TracedStep {
  const state = step.error ? 'failed' : (END_STATES[step.state] ?? 'done')
  return { name: step.name, type: step.type, state, ms: state === 'running' ? null : step.duration * 1000, text: step.output ?? '', error: step.error ?? '', attempts: step.attempts, failures: step.failures, items: step.items }
}
