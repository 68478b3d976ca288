import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

export type Workflow = Schemas['Workflow']
/** Steps as the API takes them: whether they can run is for the platform to say. */
export type StoredSteps = NonNullable<Schemas['WorkflowCreate']['steps']>
const MOST_HITS = 200

/** The workflow with this key; null where there is none. */
export function useWorkflow(workspace: Ref<string>, key: Ref<string>) {
  const query = useQuery({
    key: () => ['workflows', workspace.value, 'key', key.value],
    query: async () => {
      const hits = body(await api.GET('/api/workflows', { params: { query: { workspace: workspace.value, q: key.value, limit: MOST_HITS, sort: 'key' } } })).data
      return hits.find((one) => one.key === key.value) ?? null
    },
  })
  return { ...query, workflow: computed(() => query.data.value ?? undefined) }
}

const MOST_KEYS = 8

/** Keys of agents or workflows in which the text is, for a picker. */
export function useKeys(kind: Ref<'agent' | 'workflow'>, workspace: Ref<string>, search: Ref<string>) {
  const query = useQuery({
    key: () => [`${kind.value}s`, workspace.value, 'keys', search.value],
    placeholderData: (previous?: { value: string; detail?: string }[]) => previous,
    query: async () => {
      const params = { query: { workspace: workspace.value, q: search.value || undefined, limit: MOST_KEYS, sort: 'key' as const } }
      const hits: { key: string; name: string }[] = kind.value === 'agent' ? body(await api.GET('/api/agents', { params })).data : body(await api.GET('/api/workflows', { params })).data
      return hits.map(({ key, name }) => ({ value: key, detail: name || undefined }))
    },
  })
  return computed(() => query.data.value ?? [])
}
