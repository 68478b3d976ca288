import { useQueryCache } from '@pinia/colada'
import { reactive, ref } from 'vue'
import { useRouter } from 'vue-router'
import { useI18n } from 'vue-i18n'

import { api, body } from '@/api/client'
import { endActivity, showActivity } from '@/app/activities'
import { useWorkspace } from '@/app/workspace'

import { advanced, inState, programsOf, type Program } from './arrival'
import type { Prompt } from './queries'

/** A publish, and its way to every program that holds the prompt. */
export interface Arrival {
  promptId: string
  key: string
  env: string
  version: string
  previous: string | null
  publishedAt: string
  startedAt: number
  programs: Program[]
  /** Its sheet is open; closing it leaves the arrival running in the corner. */
  isOpen: boolean
}

/** Long enough for most programs, short enough to show the ring while it fills. */
const WAIT = '400ms'
const LOOK_AGAIN_MS = 500
const GIVE_UP_MS = 120_000
const LINGER_MS = 5_000

/** By prompt; they outlive the page, for the line in the corner. */
const arrivals = reactive(new Map<string, Arrival>())

export function arrivalOf(promptId: string): Arrival | undefined {
  return arrivals.get(promptId)
}

export function usePublishing() {
  const cache = useQueryCache()
  const router = useRouter()
  const { t } = useI18n()
  const { slug } = useWorkspace()
  const error = ref<Error>()
  const busy = ref(false)

  async function publish(prompt: Prompt, note: string): Promise<void> {
    busy.value = true
    error.value = undefined
    try {
      const publication = body(await api.POST('/api/prompts/publish', { params: { query: { wait: WAIT }, header: { 'if-match': `"${prompt.revision}"` } }, body: { id: prompt.id, note: note || undefined } }))
      const { version, created_at: createdAt } = publication.data
      arrivals.set(prompt.id, { promptId: prompt.id, key: prompt.key, env: prompt.env, version, previous: prompt.published_version, publishedAt: publication.published_at ?? createdAt, startedAt: performance.now(), programs: programsOf(publication), isOpen: true })
      void cache.invalidateQueries({ key: ['prompts'] })
      void cache.invalidateQueries({ key: ['clients'] })
      follow(prompt.id)
    } catch (failure) {
      error.value = failure as Error
    } finally {
      busy.value = false
    }
  }

  /** Look at the programs until all have it, or nobody waits any longer. */
  function follow(id: string): void {
    const arrival = arrivals.get(id)
    if (!arrival) return
    if (!arrival.isOpen) show(arrival)
    if (isDone(arrival)) {
      if (!arrival.isOpen) window.setTimeout(() => endActivity(activityId(arrival)), LINGER_MS)
    } else if (performance.now() - arrival.startedAt < GIVE_UP_MS) window.setTimeout(() => void lookAgain(id), LOOK_AGAIN_MS)
    else endActivity(activityId(arrival))
  }

  async function lookAgain(id: string): Promise<void> {
    const arrival = arrivals.get(id)
    if (!arrival) return
    try {
      const clients = body(await api.GET('/api/clients')).data
      arrival.programs = advanced(arrival.programs, clients, arrival.publishedAt)
    } catch {
      // The platform does not answer now: the next look asks again.
    }
    follow(id)
  }

  /** Close the sheet; what is still on its way goes on in the corner. */
  function close(id: string): void {
    const arrival = arrivals.get(id)
    if (!arrival) return
    arrival.isOpen = false
    if (isDone(arrival)) arrivals.delete(id)
    else show(arrival)
  }

  function show(arrival: Arrival): void {
    const [value, total] = countsOf(arrival)
    const open = () => {
      endActivity(activityId(arrival))
      arrival.isOpen = true
      void router.push({ name: 'prompt', params: { workspace: slug.value, key: arrival.key }, query: { env: arrival.env } })
    }
    showActivity({ id: activityId(arrival), text: t('prompts.arrival.line', { key: arrival.key, version: arrival.version, env: arrival.env }), value, total, isDone: isDone(arrival), open })
  }

  return { error, busy, publish, close }
}

export function isDone(arrival: Arrival): boolean {
  return inState(arrival.programs, 'behind').length === 0
}

/** How many have it, of how many that report what they have. */
export function countsOf(arrival: Arrival): [number, number] {
  const arrived = inState(arrival.programs, 'applied').length
  return [arrived, arrived + inState(arrival.programs, 'behind').length + inState(arrival.programs, 'gone').length]
}

function activityId(arrival: Arrival): string {
  return `publish ${arrival.promptId} ${arrival.version}`
}
