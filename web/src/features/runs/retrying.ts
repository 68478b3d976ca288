import { useQuery, useQueryCache } from '@pinia/colada'
import { computed, ref, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'

import { ApiError, api, body, type Schemas } from '@/api/client'
import { isUnderWay, type LiveStep } from '@/app/runs/run_events'
import { useWorkspace } from '@/app/workspace'
import { notifyFailure } from '@/ui/toasts'

type Run = Schemas['RunDetail']

/** What a retry does otherwise than the run. */
export interface RetryRequest {
  from?: string | number
  version?: number
  api_key?: string
  base_url?: string
}

/** A run of the playground is sent again there. */
const RETRIED_SOURCES = ['agent', 'workflow']

export function mayBeCancelled(run: Run): boolean {
  return isUnderWay(run) && RETRIED_SOURCES.includes(run.source)
}

export function mayBeRetried(run: Run): boolean {
  return !isUnderWay(run) && run.state !== 'completed' && RETRIED_SOURCES.includes(run.source)
}

/** The run that continues this one, by its id; a run is retried once, and then its retry. */
export function useRetryOf(run: Ref<Run>) {
  const query = useQuery({
    key: () => ['runs', 'retry-of', run.value.id],
    enabled: () => mayBeRetried(run.value),
    query: async () => body(await api.GET('/api/runs', { params: { query: { workspace: run.value.workspace_id, retry_of: run.value.id, limit: 1 } } })).data[0]?.id ?? null,
  })
  return computed(() => query.data.value ?? null)
}

/** The name of the step that ran this one, if it is of an inner run: it can only be executed again as a whole. */
export function outerNameOf(step: LiveStep, steps: readonly LiveStep[]): string | undefined {
  if (step.outer === null) return undefined
  const outer = steps.find((one) => one.step === step.outer)
  // One that a crash cut off is not in the log; the names of its inner steps begin with its own.
  return outer ? outer.name || outer.type : step.name.split(' / ')[0]
}

/** Where a retry begins at a step: its name, or its number where names are absent or the same. That of an inner run begins at the step that ran it. */
export function placeOf(step: LiveStep, steps: readonly LiveStep[], run: Run): string | number {
  if (step.outer !== null) return step.outer
  const isAlone = step.name !== '' && steps.filter(({ name }) => name === step.name).length === 1
  return run.source === 'workflow' && isAlone ? step.name : step.step
}

/** Retries the run and leads to the new one; asks for a key where the run had one. */
export function useRetrying(run: Ref<Run>) {
  const { t } = useI18n()
  const router = useRouter()
  const cache = useQueryCache()
  const { slug } = useWorkspace()
  const busy = ref(false)
  /** What is asked for before the retry: a version, or the key that is not stored. */
  const asking = ref<{ from?: string | number; failure: string; isForKey: boolean }>()

  function ask(from?: string | number): void {
    asking.value = { from, failure: '', isForKey: false }
  }

  async function retry(request: RetryRequest = {}): Promise<void> {
    if (busy.value) return
    busy.value = true
    try {
      const answer = body(await api.POST('/api/runs/{run_id}/retry', { params: { path: { run_id: run.value.id } }, body: request })).data
      asking.value = undefined
      await router.push({ name: 'run', params: { workspace: slug.value, run: answer.id } })
    } catch (failure) {
      const needsKey = failure instanceof ApiError && failure.status === 400 && failure.message.startsWith('api_key:')
      if (needsKey || asking.value) asking.value = { from: request.from, failure: (failure as ApiError).unreachable ? t('ui.unreachable') : (failure as Error).message, isForKey: needsKey || !!asking.value?.isForKey }
      else notifyFailure(failure, t('ui.unreachable'))
    } finally {
      busy.value = false
      await cache.invalidateQueries({ key: ['runs'] })
    }
  }

  return { busy, asking, ask, retry }
}

export type Retrying = ReturnType<typeof useRetrying>
