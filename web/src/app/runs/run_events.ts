import type { Schemas } from '@/api/client'

type RunDetail = Schemas['RunDetail']
type RunStep = Schemas['RunStep']

/** A step as its page shows it: `state` is `Running` until it has ended, `output` the text so far. */
export interface LiveStep extends RunStep {
  /** The beginning of the text was not kept. */
  isCut: boolean
  /** At the answer whose text is there. */
  textAttempt: number
}

/** A run as the log has it, with what its events have brought since. */
export interface LiveRun {
  run: RunDetail | null
  /** By their number in the run. */
  steps: Record<number, LiveStep>
  /** The server stops: the events go on at the next one. */
  isStopping: boolean
}

export const RUNNING = 'Running'

export function newLiveRun(): LiveRun {
  return { run: null, steps: {}, isStopping: false }
}

/** Whether the run has not ended. */
export function isUnderWay(run: Pick<RunDetail, 'status'> | null): boolean {
  return run?.status === 'running'
}

/** Takes an event in; one that was taken already, as after a reconnect, changes nothing. */
export function takeEvent(live: LiveRun, event: string, data: Record<string, unknown>): void {
  live.isStopping = event === 'stopping'
  const step = Number(data.step)
  if (event === 'run' || event === 'end') takeRun(live, data as unknown as RunDetail)
  else if (event === 'state' && live.run) Object.assign(live.run, { waited_ms: waitedOf(live.run, data.state) }, data)
  else if (event === 'step_started') live.steps[step] = { ...NEW_STEP, step, name: String(data.name), type: String(data.type), start: String(data.start), outer: (data.outer as number | null) ?? null }
  else if (event === 'step') live.steps[step] = { ...NEW_STEP, ...live.steps[step], ...(data as Partial<RunStep>), isCut: false }
  else if (event === 'delta') addText(live.steps[step], String(data.text), Number(data.attempt ?? 1))
  else if (event === 'tool_call') live.steps[step] = { ...NEW_STEP, start: new Date().toISOString(), ...live.steps[step], step, name: String(data.name), type: 'tool', input: JSON.stringify(data.arguments) }
  else if (event === 'tool_result' && live.steps[step]) Object.assign(live.steps[step], { output: data.output ?? null, error: data.error ?? null })
  else if (event === 'skipped' && live.steps[step]) live.steps[step].isCut = true
}

/** What happens in the run from there on comes after it, steps that are under way included. */
function takeRun(live: LiveRun, run: RunDetail): void {
  live.run = run
  live.steps = {}
}

/** Until its turn came, as this page saw it: the log has it exactly. */
function waitedOf(run: RunDetail, state: unknown): number | null {
  return run.waited_ms ?? (state === 'running' ? Math.max(Date.now() - Date.parse(run.created_at), 0) : null)
}

/** The text of another attempt at an answer replaces that of the one before. */
function addText(step: LiveStep | undefined, text: string, attempt: number): void {
  if (step?.state !== RUNNING) return
  step.output = (attempt === step.textAttempt ? (step.output ?? '') : '') + text
  step.textAttempt = attempt
}

/** All steps that are known, in the order of the run. An attempt after a crash may have begun one anew that the log has. */
export function stepsOf({ run, steps }: LiveRun): LiveStep[] {
  const all: Record<number, LiveStep> = { ...steps }
  for (const logged of run?.steps ?? []) {
    const live = steps[logged.step]
    if (!live || Date.parse(live.start) <= Date.parse(logged.start)) all[logged.step] = { ...logged, isCut: false, textAttempt: 1 }
  }
  return Object.values(all).sort((a, b) => a.step - b.step)
}

const NEW_STEP: LiveStep = {
  step: 0, isCut: false, textAttempt: 1, name: '', type: '', state: RUNNING, start: '', duration: 0, attempts: 1, output: null, input: null, error: null, provider: '', model: '', prompt_tokens: 0, output_tokens: 0,
  cached_tokens: 0, usage_estimated: false, cost_usd: null, price: null, stop_reason: null, notes: [], version: null, failures: [], items: null, reused: false, prompts: [], outer: null,
}
