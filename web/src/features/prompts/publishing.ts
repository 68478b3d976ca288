import { useQueryCache } from '@pinia/colada'
import { computed, ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

import type { Prompt } from './queries'

export type Holder = Schemas['HoldingClient']
type Publication = Schemas['Publication']

export interface Arrival {
  env: string
  key: string
  version: string
  previous: string | null
  promptId: string
  startedAt: number
  publication: Publication | null
  /** When the number of programs was seen to grow: how many, after how many ms. */
  steps: { count: number; ms: number }[]
}

const WAIT = '5s'
const LOOK_AGAIN_MS = 1_000
const GIVE_UP_MS = 60_000

/** A publish, and the way of it to every program that holds the prompt. Closing the sheet leaves it running. */
export function usePublishing() {
  const cache = useQueryCache()
  const arrival = ref<Arrival>()
  const error = ref<Error>()
  const busy = ref(false)

  const acknowledged = computed(() => arrival.value?.publication?.acknowledged ?? 0)
  const connected = computed(() => arrival.value?.publication?.connected ?? 0)
  const behind = computed<Holder[]>(() => [...(arrival.value?.publication?.behind ?? []), ...(arrival.value?.publication?.silent ?? [])])
  const isDone = computed(() => arrival.value?.publication != null && behind.value.length === 0)

  async function publish(prompt: Prompt, note: string): Promise<void> {
    busy.value = true
    error.value = undefined
    const startedAt = performance.now()
    try {
      const publication = body(await api.POST('/api/prompts/publish', { params: { query: { wait: WAIT } }, body: { id: prompt.id, note: note || undefined } }))
      arrival.value = { env: prompt.env, key: prompt.key, version: publication.data.version, previous: prompt.published_version, promptId: prompt.id, startedAt, publication, steps: [{ count: publication.acknowledged ?? 0, ms: performance.now() - startedAt }] }
      void cache.invalidateQueries({ key: ['prompts'] })
      void cache.invalidateQueries({ key: ['clients'] })
      if (behind.value.length) window.setTimeout(() => void lookAgain(), LOOK_AGAIN_MS)
    } catch (failure) {
      error.value = failure as Error
    } finally {
      busy.value = false
    }
  }

  /** Who was behind and now has the revision is behind no more. */
  async function lookAgain(): Promise<void> {
    const now = arrival.value
    if (!now?.publication) return
    const clients = body(await api.GET('/api/clients')).data
    const isLate = (holder: Holder) => {
      const client = clients.find((one) => one.id === holder.id)
      return client !== undefined && (client.silent || (client.lag_revisions ?? 0) > 0)
    }
    const late = (now.publication.behind ?? []).filter(isLate)
    const silent = (now.publication.silent ?? []).filter(isLate)
    const total = now.publication.connected ?? 0
    const count = total - late.length - silent.length
    const steps = count > (now.publication.acknowledged ?? 0) ? [...now.steps, { count, ms: performance.now() - now.startedAt }] : now.steps
    arrival.value = { ...now, steps, publication: { ...now.publication, behind: late, silent, acknowledged: count } }
    if (late.length + silent.length && performance.now() - now.startedAt < GIVE_UP_MS) window.setTimeout(() => void lookAgain(), LOOK_AGAIN_MS)
  }

  return { arrival, acknowledged, connected, behind, isDone, error, busy, publish }
}
