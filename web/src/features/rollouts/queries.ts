import { useQuery } from '@pinia/colada'
import type { Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

export type Rollout = Schemas['Rollout']
export type ListedRollout = Schemas['ListedRollout']

/** A rollout, and the entity tag that a change of it has to name. */
export interface TaggedRollout {
  rollout: Rollout | null
  tag: string
}

// All keys begin with `prompts`, which events about prompts and their rollouts make stale.

/** The prompts of one key, one for each environment that has it. */
export function usePromptsOfKey(workspace: Ref<string>, key: Ref<string>) {
  return useQuery({
    key: () => ['prompts', 'of-key', workspace.value, key.value],
    query: async () => {
      const { data } = body(await api.GET('/api/prompts', { params: { query: { workspace: workspace.value, q: key.value } } }))
      return data.filter((prompt) => prompt.key === key.value)
    },
  })
}

export function useTaggedRollout(id: Ref<string | undefined>) {
  return useQuery({
    key: () => ['prompts', 'tagged-rollout', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async (): Promise<TaggedRollout> => {
      const answer = await api.GET('/api/prompts/{prompt_id}/rollout', { params: { path: { prompt_id: id.value ?? '' } } })
      return { rollout: body(answer).data, tag: answer.response.headers.get('etag') ?? '' }
    },
  })
}

/** Labels of the published versions, newest first. */
export function useVersionLabels(id: Ref<string | undefined>) {
  return useQuery({
    key: () => ['prompts', 'version-labels', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () => body(await api.GET('/api/prompts/{prompt_id}/versions', { params: { path: { prompt_id: id.value ?? '' } } })).data.map((version) => version.version),
  })
}

/** What the rollout was changed to, newest first. */
export function useRamp(id: Ref<string | undefined>) {
  return useQuery({
    key: () => ['prompts', 'ramp', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () => body(await api.GET('/api/prompts/{prompt_id}/history', { params: { path: { prompt_id: id.value ?? '' }, query: { limit: 100 } } })).data.filter((move) => move.action === 'rollout'),
  })
}
