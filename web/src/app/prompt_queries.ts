import { useQuery } from '@pinia/colada'
import type { Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

/** What agents and steps of workflows name of a prompt; without a version, it is the served one. */
export interface PromptReference {
  key: string
  env: string
  version?: string | null
}

const MOST_PROMPTS = 200

/** The prompts that may be referred to in the workspace. */
export function useReferablePrompts(workspace: Ref<string>, enabled: Ref<boolean>) {
  return useQuery({
    key: () => ['prompts', workspace.value, 'referable'],
    enabled: () => enabled.value,
    query: async () => body(await api.GET('/api/prompts', { params: { query: { workspace: workspace.value, limit: MOST_PROMPTS } } })).data,
  })
}

/** The prompt that a reference names, as it is now; null where there is none. */
export function useReferredPrompt(workspace: Ref<string>, reference: Ref<PromptReference | null>) {
  return useQuery({
    key: () => ['prompts', workspace.value, 'referred', reference.value?.key ?? '', reference.value?.env ?? ''],
    enabled: () => !!reference.value?.key,
    query: async (): Promise<Schemas['Prompt'] | null> => {
      const { key = '', env } = reference.value ?? {}
      const { data } = body(await api.GET('/api/prompts', { params: { query: { workspace: workspace.value, q: key, env } } }))
      return data.find((prompt) => prompt.key === key && prompt.env === env) ?? null
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
