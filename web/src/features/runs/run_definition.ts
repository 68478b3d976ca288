import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { ApiError, api, body, type Schemas } from '@/api/client'
import type { Step } from '@/app/step_graph'

/** The steps of the workflow as the run found them; undefined where that version was not kept. */
export function useRunDefinition(run: Ref<Schemas['RunDetail']>) {
  const version = computed(() => Number(run.value.version ?? 0) || 0)
  const query = useQuery({
    key: () => ['workflows', run.value.workspace_id, 'of-run', run.value.ref_key, version.value],
    enabled: () => run.value.source === 'workflow',
    query: async (): Promise<Step[] | null> => {
      const params = { query: { workspace: run.value.workspace_id, q: run.value.ref_key, sort: 'key' as const } }
      const workflow = body(await api.GET('/api/workflows', { params })).data.find((one) => one.key === run.value.ref_key)
      if (!workflow) return null
      // Of a run of an earlier release, the steps of today: they are drawn only if the trace is theirs.
      if (!version.value || workflow.version === version.value) return workflow.steps as Step[]
      return stepsOfVersion(workflow.id, version.value)
    },
  })
  return { steps: computed(() => query.data.value ?? undefined), version, isPending: query.isPending }
}

async function stepsOfVersion(id: string, version: number): Promise<Step[] | null> {
  try {
    const { definition } = body(await api.GET('/api/workflows/{workflow_id}/versions/{version}', { params: { path: { workflow_id: id, version } } })).data
    return Array.isArray(definition.steps) ? (definition.steps as Step[]) : null
  } catch (error) {
    // A draft that ran and was edited since is no version.
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}

/** The versions of what was run, newest first. */
export function useRunVersions(run: Ref<Schemas['RunDetail']>) {
  const query = useQuery({
    key: () => [`${run.value.source}s`, run.value.workspace_id, 'versions-of-run', run.value.ref_key],
    query: async (): Promise<number[]> => {
      const params = { query: { workspace: run.value.workspace_id, q: run.value.ref_key, sort: 'key' as const } }
      if (run.value.source === 'agent') {
        const agent = body(await api.GET('/api/agents', { params })).data.find((one) => one.key === run.value.ref_key)
        return agent ? body(await api.GET('/api/agents/{agent_id}/versions', { params: { path: { agent_id: agent.id } } })).data.map(({ version }) => version) : []
      }
      const workflow = body(await api.GET('/api/workflows', { params })).data.find((one) => one.key === run.value.ref_key)
      return workflow ? body(await api.GET('/api/workflows/{workflow_id}/versions', { params: { path: { workflow_id: workflow.id } } })).data.map(({ version }) => version) : []
    },
  })
  return computed(() => query.data.value ?? [])
}
