import { useQuery, useQueryCache } from '@pinia/colada'
import { computed, ref, shallowRef } from 'vue'

import { api, body, type Schemas } from '@/api/client'
import { useWorkspace } from '@/app/workspace'

type Sample = Schemas['Sample']
export type KeptPart = Schemas['KeptPart']
const TOUCHED = [['prompts'], ['agents'], ['workflows'], ['keys'], ['workspaces']]

/** What was just made, with its API key, which the platform shows only once. */
const made = shallowRef<Sample>()

/** The sample of the page's workspace: whether it is there, not asked before `isReady`, and the two ways. */
export function useSample(isReady: () => boolean = () => true) {
  const { slug } = useWorkspace()
  const cache = useQueryCache()
  const busy = ref(false)
  const state = useQuery({ key: () => ['prompts', 'sample', slug.value], enabled: isReady, query: async () => body(await api.GET('/api/sample', { params: { query: { workspace: slug.value } } })).data })
  const isInstalled = computed(() => state.data.value?.installed ?? false)

  async function change(call: () => Promise<void>): Promise<void> {
    busy.value = true
    try {
      await call()
      await Promise.all(TOUCHED.map((key) => cache.invalidateQueries({ key })))
    } finally {
      busy.value = false
    }
  }

  const load = () => change(async () => { made.value = body(await api.POST('/api/sample', { params: { query: { workspace: slug.value } }, body: {} })).data })
  /** Returns the parts that the platform kept, as somebody edited or uses them. */
  async function remove(): Promise<KeptPart[]> {
    let kept: KeptPart[] = []
    await change(async () => {
      kept = body(await api.DELETE('/api/sample', { params: { query: { workspace: slug.value } } })).kept
      made.value = undefined
    })
    return kept
  }

  return { isInstalled, busy, made, load, remove }
}
