import { useQuery, useQueryCache } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

/** What is versioned as a whole. */
export type DefinitionKind = 'agent' | 'workflow'
export type DefinitionVersion = Schemas['DefinitionVersion']
export type Definition = Pick<Schemas['Workflow'], 'id' | 'key' | 'version' | 'revision' | 'updated_at' | 'updated_by' | 'published_version' | 'served' | 'draft_ahead'>

const MOST_VERSIONS = 200

/** The versions of an agent or a workflow, newest first. */
export function useDefinitionVersions(kind: DefinitionKind, id: Ref<string | undefined>) {
  const query = useQuery({
    key: () => [`${kind}s`, 'versions', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () => {
      const query = { limit: MOST_VERSIONS }
      return kind === 'agent'
        ? body(await api.GET('/api/agents/{agent_id}/versions', { params: { path: { agent_id: id.value ?? '' }, query } })).data
        : body(await api.GET('/api/workflows/{workflow_id}/versions', { params: { path: { workflow_id: id.value ?? '' }, query } })).data
    },
  })
  return { ...query, versions: computed(() => query.data.value ?? []) }
}

/** What moves the versions of one agent or workflow; each change is shown everywhere at once. */
export function useVersionMoves(kind: DefinitionKind, id: Ref<string>) {
  const cache = useQueryCache()
  const agent = computed(() => ({ path: { agent_id: id.value } }))
  const workflow = computed(() => ({ path: { workflow_id: id.value } }))

  async function done<T>(answer: Promise<T>): Promise<T> {
    const result = await answer
    await cache.invalidateQueries({ key: [`${kind}s`] })
    return result
  }

  /** Serve the draft as a version, or the version that is named. */
  async function publish(request: Schemas['PublishDefinition']): Promise<DefinitionVersion> {
    const answer = kind === 'agent' ? api.POST('/api/agents/{agent_id}/publish', { params: agent.value, body: request }) : api.POST('/api/workflows/{workflow_id}/publish', { params: workflow.value, body: request })
    return body(await done<{ data?: { data: DefinitionVersion } | Schemas['Proposed'] }>(answer)).data
  }

  /** The draft as a version that no environment serves; the one that has the same definition already. */
  async function make(): Promise<DefinitionVersion> {
    const answer = kind === 'agent' ? api.POST('/api/agents/{agent_id}/versions', { params: agent.value, body: {} }) : api.POST('/api/workflows/{workflow_id}/versions', { params: workflow.value, body: {} })
    return body(await done<{ data?: { data: DefinitionVersion } }>(answer)).data
  }

  function rollBack(request: Schemas['RollbackDefinition']): Promise<unknown> {
    return done<unknown>(kind === 'agent' ? api.POST('/api/agents/{agent_id}/rollback', { params: agent.value, body: request }) : api.POST('/api/workflows/{workflow_id}/rollback', { params: workflow.value, body: request }))
  }

  function promote(request: Schemas['PromoteDefinition']): Promise<unknown> {
    return done<unknown>(kind === 'agent' ? api.POST('/api/agents/{agent_id}/promote', { params: agent.value, body: request }) : api.POST('/api/workflows/{workflow_id}/promote', { params: workflow.value, body: request }))
  }

  return { publish, make, rollBack, promote }
}

/** `v3`, as people read the number of a version. */
export function labelOf(version: number): string {
  return `v${version}`
}
