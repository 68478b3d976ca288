import { computed, onScopeDispose, reactive, ref, watch, type Ref } from 'vue'

import { followRun, type Following } from './follow_run'
import { isUnderWay, newLiveRun, stepsOf } from './run_events'

/** Of the runs that were looked at last: whoever comes back sees at once what was there, and the events go on after it. */
const kept = new Map<string, Following>()
const MOST_KEPT = 20
const PATIENCE_MS = 1_000

function followingOf(runId: string): Following {
  const following = kept.get(runId) ?? reactive<Following>({ live: newLiveRun(), lastEventId: '', isConnected: false })
  kept.delete(runId)
  kept.set(runId, following)
  for (const [oldest] of kept) if (kept.size > MOST_KEPT) kept.delete(oldest)
  return following
}

/** A run with its steps as they go on, for as long as the scope lives; nothing is followed without an id. */
export function useLiveRun(id: Ref<string>) {
  const following = computed(() => followingOf(id.value))
  const error = ref<Error>()
  const live = computed(() => following.value.live)
  const run = computed(() => live.value.run)
  let abort = new AbortController()

  function stop(): void {
    abort.abort()
  }

  async function follow(): Promise<void> {
    stop()
    const { signal } = (abort = new AbortController())
    error.value = undefined
    if (!id.value || (run.value && !isUnderWay(run.value))) return
    try {
      await followRun(id.value, following.value, signal)
    } catch (failure) {
      if (!signal.aborted) error.value = failure as Error
    }
  }

  watch(id, () => void follow(), { immediate: true })
  onScopeDispose(stop)
  /** The events do not come although the run goes on, and that for longer than it takes to connect. */
  const isCut = ref(false)
  let patience: number | undefined
  watch(() => isUnderWay(run.value) && !following.value.isConnected, (isWaiting) => {
    window.clearTimeout(patience)
    isCut.value = false
    if (isWaiting) patience = window.setTimeout(() => (isCut.value = true), PATIENCE_MS)
  }, { immediate: true })
  onScopeDispose(() => window.clearTimeout(patience))
  return { run, steps: computed(() => stepsOf(live.value)), error, follow, isUnderWay: computed(() => isUnderWay(run.value)), isCut, isStopping: computed(() => live.value.isStopping) }
}
