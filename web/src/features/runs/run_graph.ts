import type { Schemas } from '@/api/client'
import { linksOf, textOf, type Step, type StepLink } from '@/app/step_graph'

type RunStep = Schemas['RunStep']
export type StepState = 'waiting' | 'unreached' | 'running' | 'done' | 'failed' | 'skipped' | 'cached' | 'reused' | 'cancelled'

/** A step of the definition, and how it went. */
export interface RunNode {
  step: Step
  /** Place in the run's trace; -1 where it has not begun. */
  index: number
  state: StepState
  trace?: RunStep
}

export interface RunGraph {
  nodes: RunNode[]
  links: StepLink[]
}

/** The steps of the definition with the trace of the run; null where the trace is not one of these steps. Those of inner runs come after them. What has not begun when the run has ended was not reached. */
export function runGraph(steps: readonly Step[], trace: readonly RunStep[], hasEnded = false): RunGraph | null {
  if (trace.some((one) => one.step <= steps.length && one.name !== textOf(steps[one.step - 1] as Step, 'name'))) return null
  const nodes = steps.map((step, at): RunNode => {
    const index = trace.findIndex((one) => one.step === at + 1)
    return { step, index, state: trace[index] ? stateOf(trace[index]) : hasEnded ? 'unreached' : 'waiting', trace: trace[index] }
  })
  return { nodes, links: linksOf(steps) }
}

export interface PendingStep {
  step: Step
  /** In the definition. */
  place: number
  /** Names of the steps before it that have not ended. */
  needs: string[]
}

/** The steps that have not begun; none where the trace is not one of these steps. */
export function pendingSteps(steps: readonly Step[], trace: readonly RunStep[]): PendingStep[] {
  const graph = runGraph(steps, trace)
  if (!graph) return []
  const isOpen = (place: number) => graph.nodes[place]?.state === 'waiting' || graph.nodes[place]?.state === 'running'
  return graph.nodes.flatMap(({ step, state }, place) => (state !== 'waiting' ? [] : [{ step, place, needs: graph.links.filter(({ from, to }) => to === place && isOpen(from)).map(({ from }) => textOf(steps[from] as Step, 'name')).filter(Boolean) }]))
}

function stateOf(trace: RunStep): StepState {
  if (trace.state === 'Cancelled') return 'cancelled'
  if (trace.error) return 'failed'
  if (trace.reused) return 'reused'
  return STATES[trace.state.toLowerCase()] ?? 'done'
}

/** As Prefect names the states of task runs. */
const STATES: Record<string, StepState> = { running: 'running', skipped: 'skipped', cached: 'cached', failed: 'failed', crashed: 'failed', timedout: 'failed' }
