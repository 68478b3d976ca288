import { computed, onScopeDispose, reactive, ref, watch, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { ApiError, stream } from '@/api/client'
import { serverEvents } from '@/api/events'
import { followRun, type Following } from '@/app/runs/follow_run'
import { newLiveRun, stepsOf, takeEvent } from '@/app/runs/run_events'
import type { Step } from '@/app/step_graph'

import { lastRun, rememberRun } from './last_run'
import { tracedSteps, type TracedStep } from './traced_steps'

export interface RunRequest {
  version?: number
  env?: string
  variables: Record<string, unknown>
  api_key?: string
  base_url?: string
}

/** The run of a workflow that its page has started last, followed step by step. It goes on when the page is left, and is found again. */
export function useRunning(workflowId: Ref<string | undefined>) {
  const { t } = useI18n()
  const following = reactive<Following>({ live: newLiveRun(), lastEventId: '', isConnected: false })
  /** The steps of the definition that runs. */
  const planned = ref<readonly Step[]>([])
  const runId = ref('')
  const output = ref('')
  const error = ref('')
  const state = ref<'idle' | 'running' | 'ok' | 'failed'>('idle')
  const steps = computed(() => tracedSteps(stepsOf(following.live)).map((step) => step && state.value === 'failed' && step.state === 'running' ? { ...step, state: 'failed' as const } : step))
  let abort = new AbortController()
  onScopeDispose(() => abort.abort())

  function reset(): AbortSignal {
    abort.abort()
    abort = new AbortController()
    Object.assign(following, { live: newLiveRun(), lastEventId: '' })
    runId.value = output.value = error.value = ''
    state.value = 'idle'
    return abort.signal
  }

  async function run(id: string, definition: readonly Step[], request: () => Promise<RunRequest>): Promise<void> {
    if (state.value === 'running') return
    const signal = reset()
    planned.value = JSON.parse(JSON.stringify(definition)) as Step[]
    state.value = 'running'
    try {
      const response = await stream(`/api/workflows/${encodeURIComponent(id)}/run`, { ...(await request()), stream: true }, signal)
      for await (const { event, data } of serverEvents(response)) hear(id, event, JSON.parse(data) as Record<string, unknown>)
      // A connection that is cut says nothing of the run, which goes on.
      if (state.value === 'running') await resume(signal)
    } catch (failure) {
      if (signal.aborted) return
      if (runId.value && state.value === 'running') await resume(signal)
      else fail(failure instanceof ApiError && !failure.unreachable ? failure.message : t('ui.unreachable'))
    }
  }

  function hear(id: string, event: string, data: Record<string, unknown>): void {
    if (event === 'start') {
      runId.value = String(data.run_id)
      rememberRun(id, { runId: runId.value, planned: planned.value })
    } else if (event === 'result') {
      output.value = String(data.output)
      state.value = 'ok'
    } else if (event === 'error') fail(String(data.error))
    else takeEvent(following.live, event, data)
  }

  /** Follow the run by its own address until it has ended. */
  async function resume(signal: AbortSignal): Promise<void> {
    state.value = 'running'
    try {
      await followRun(runId.value, following, signal)
    } catch (failure) {
      if (!signal.aborted) fail((failure as Error).message)
      return
    }
    const { run: ended } = following.live
    if (signal.aborted || !ended) return
    if (ended.status === 'ok') {
      output.value = ended.output
      state.value = 'ok'
    } else fail(ended.error)
  }

  function fail(sentence: string): void {
    error.value = sentence
    state.value = 'failed'
  }

  watch(workflowId, (id) => {
    const last = id === undefined ? null : lastRun(id)
    const signal = reset()
    planned.value = last?.planned ?? []
    runId.value = last?.runId ?? ''
    if (last) void resume(signal)
  }, { immediate: true })

  /** The trace, where these are the steps that run: those of another version may stand at other places. */
  function traceOf(definition: readonly Step[]): readonly (TracedStep | undefined)[] {
    return JSON.stringify(definition) === JSON.stringify(planned.value) ? steps.value : []
  }

  return { steps, planned, traceOf, runId, output, error, state, isRunning: computed(() => state.value === 'running'), run }
}

export type Running = ReturnType<typeof useRunning>
