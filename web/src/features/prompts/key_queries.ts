import { useQuery } from '@pinia/colada'
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'
import { useLive } from '@/app/live'
import { usePagedList } from '@/app/paged_list'

import { keyList, type KeySort } from './key_list'
import type { KeyQuery, PromptKey } from './key_rows'

export type KeyPrograms = Schemas['KeyPrograms']
export type KeyCalls = Schemas['KeyCalls']

const SETTLE_MS = 120
const LOOK_AGAIN_MS = 2_000
const TINT_MS = 1_000

/** The keys that match, page by page as they are seen. */
export function usePromptKeys(workspace: Ref<string>, asked: Ref<KeyQuery>, sort: Ref<KeySort>) {
  const list = computed(() => keyList(workspace.value, asked.value, sort.value))
  return usePagedList<PromptKey>({ key: () => list.value.key, fetchPage: (offset, limit) => list.value.fetchPage(offset, limit) })
}

/** How many keys each value of each filter has, after all other filters; not asked before `isReady`. */
export function usePromptFacets(workspace: Ref<string>, asked: Ref<KeyQuery>, isReady: () => boolean) {
  const query = computed(() => ({ ...asked.value, workspace: workspace.value }))
  return useQuery({
    // Not under prompts: they count all prompts of the workspace, and are fetched again less often.
    key: () => ['prompt-facets', JSON.stringify(query.value)],
    placeholderData: (previous?: Schemas['PromptFacets']) => previous,
    enabled: isReady,
    query: async () => body(await api.GET('/api/prompt-keys/facets', { params: { query: query.value } })).data,
  })
}

/** How many keys there are without any filter; asked only where one is set. */
export function useAllKeys(workspace: Ref<string>, isFiltered: Ref<boolean>) {
  return useQuery({
    key: () => ['prompts', 'all', workspace.value],
    enabled: () => isFiltered.value,
    query: async () => body(await api.GET('/api/prompt-keys', { params: { query: { workspace: workspace.value, limit: 1 } } })).total,
  })
}

/** What goes on with the keys in sight: one request for all of them, again while a program is behind. */
export function useKeyActivity(workspace: Ref<string>, env: Ref<string | undefined>, visible: Ref<string[]>) {
  const keys = settled(visible)
  const query = computed(() => ({ workspace: workspace.value, env: env.value, key: keys.value }))
  const scope = computed(() => `${workspace.value} ${env.value ?? ''}`)
  const enabled = () => keys.value.length > 0
  const programs = useQuery({
    key: () => ['prompts', 'programs', JSON.stringify(query.value)],
    enabled,
    query: async () => body(await api.GET('/api/prompt-keys/programs', { params: { query: query.value } })).data,
  })
  const calls = useQuery({
    key: () => ['runs', 'calls', JSON.stringify(query.value)],
    enabled,
    query: async () => {
      const { keys: called } = body(await api.GET('/api/prompt-keys/calls', { params: { query: query.value } })).data
      const byKey = new Map(called.map((one) => [one.key, one]))
      return query.value.key.map((key) => byKey.get(key) ?? { key, calls: 0, errors: 0, cost_usd: 0, hours: [] })
    },
  })
  const timer = window.setInterval(() => {
    if (programs.data.value?.some((one) => one.current < one.connected)) void programs.refetch()
  }, LOOK_AGAIN_MS)
  onScopeDispose(() => window.clearInterval(timer))
  return { programs: remembered(programs.data, scope), calls: remembered(calls.data, scope) }
}

/** The keys whose prompts changed within the last second, for the tint of their rows. */
export function useChangedKeys(): Ref<ReadonlySet<string>> {
  const changed = shallowRef<ReadonlySet<string>>(new Set())
  const stop = useLive().onEvent(({ type, key }) => {
    if (!key || !type.startsWith('prompt.')) return
    changed.value = new Set(changed.value).add(key)
    window.setTimeout(() => (changed.value = new Set([...changed.value].filter((one) => one !== key))), TINT_MS)
  })
  onScopeDispose(stop)
  return changed
}

/** The keys once nothing has scrolled for a moment. */
function settled(keys: Ref<string[]>): Ref<string[]> {
  const settledKeys = ref<string[]>([])
  let timer: number | undefined
  watch(
    () => keys.value.join(' '),
    () => {
      window.clearTimeout(timer)
      timer = window.setTimeout(() => (settledKeys.value = [...keys.value]), settledKeys.value.length ? SETTLE_MS : 0)
    },
    { immediate: true },
  )
  onScopeDispose(() => window.clearTimeout(timer))
  return settledKeys
}

/** What was answered for each key, kept while others are in sight; a new scope begins anew. */
function remembered<Row extends { key: string }>(rows: Ref<Row[] | undefined>, scope: Ref<string>): Ref<ReadonlyMap<string, Row>> {
  const rowsByKey = shallowRef<ReadonlyMap<string, Row>>(new Map())
  watch(scope, () => (rowsByKey.value = new Map()))
  watch(rows, (now) => { if (now) rowsByKey.value = new Map([...rowsByKey.value, ...now.map((row) => [row.key, row] as const)]) }, { immediate: true })
  return rowsByKey
}
