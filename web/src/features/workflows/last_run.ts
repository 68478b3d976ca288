import type { Step } from './steps'

/** The run that this tab has started last, and the steps that it runs. */
export interface LastRun {
  runId: string
  planned: readonly Step[]
}

const STORED = 'promptops.workflow.run.'

export function lastRun(workflowId: string): LastRun | null {
  try {
    const value = JSON.parse(sessionStorage.getItem(STORED + workflowId) ?? 'null') as Partial<LastRun> | null
    return typeof value?.runId === 'string' && Array.isArray(value.planned) ? (value as LastRun) : null
  } catch {
    return null
  }
}

export function rememberRun(workflowId: string, run: LastRun): void {
  try {
    sessionStorage.setItem(STORED + workflowId, JSON.stringify(run))
  } catch {
    // A full or forbidden store only means that the pane is empty when somebody comes back.
  }
}
