import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

export type Prompt = Schemas['Prompt']
export type PromptVersion = Schemas['PromptVersion']
export type Client = Schemas['LiveClient']

/** The rows of one key, one for each environment that has it. */
export function usePromptRows(workspace: Ref<string>, key: Ref<string>) {
  return useQuery({
    key: () => ['prompts', workspace.value, 'key', key.value],
    query: async () => {
      const { data } = body(await api.GET('/api/prompts', { params: { query: { workspace: workspace.value, q: key.value } } }))
      return data.filter((prompt) => prompt.key === key.value)
    },
  })
}

export function useVersions(id: Ref<string | undefined>) {
  return useQuery({
    key: () => ['prompts', 'versions', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () => body(await api.GET('/api/prompts/{prompt_id}/versions', { params: { path: { prompt_id: id.value ?? '' } } })).data,
  })
}

export function useRollout(id: Ref<string | undefined>) {
  return useQuery({
    key: () => ['prompts', 'rollout', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () => body(await api.GET('/api/prompts/{prompt_id}/rollout', { params: { path: { prompt_id: id.value ?? '' } } })).data,
  })
}

/** Programs that are connected now and watch this environment. */
export function useClients(env: Ref<string>) {
  const query = useQuery({ key: ['clients'], query: async () => body(await api.GET('/api/clients')).data })
  const clients = computed(() => (query.data.value ?? []).filter((client) => client.client_type !== 'console' && (!client.namespace || client.namespace === env.value)))
  return { ...query, clients }
}
