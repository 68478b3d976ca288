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

/** Programs that are connected now and watch this environment; without one nothing is asked. */
export function useClients(env: Ref<string>) {
  const query = useQuery({ key: ['clients'], enabled: () => env.value !== '', query: async () => body(await api.GET('/api/clients')).data })
  const clients = computed(() => (query.data.value ?? []).filter((client) => client.client_type !== 'console' && (!client.namespace || client.namespace === env.value)))
  return { ...query, clients }
}
