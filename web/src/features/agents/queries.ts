import { useQuery } from '@pinia/colada'
import type { Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

export type Agent = Schemas['Agent']
export type Tool = Schemas['HttpTool']
export type Prompt = Schemas['Prompt']
export type Conversation = Schemas['Conversation']

/** The agent of that key; null where there is none. */
export function useAgent(workspace: Ref<string>, key: Ref<string>) {
  return useQuery({
    key: () => ['agents', workspace.value, 'key', key.value],
    query: async () => {
      const { data } = body(await api.GET('/api/agents', { params: { query: { workspace: workspace.value, q: key.value } } }))
      return data.find((agent) => agent.key === key.value) ?? null
    },
  })
}
