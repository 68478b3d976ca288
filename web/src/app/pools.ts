import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'

import { includes, useSession } from './session'

/** As the platform takes it; empty for its own engine. */
const POOL = /^([a-z0-9][a-z0-9_-]{0,62})?$/
const MOST_DEFINITIONS = 50

export function isPool(name: string): boolean {
  return POOL.test(name)
}

/** Names of pools for a list of choices, each once. */
export function poolNames(...lists: readonly (readonly { pool: string }[])[]): string[] {
  return [...new Set(lists.flat().map(({ pool }) => pool))].filter(Boolean).sort()
}

/** The pools of the workspace's definitions, and those of the workers for admins, who alone may see them. */
export function usePools(workspace: Ref<string>) {
  const session = useSession()
  const used = useQuery({
    key: () => ['pools', workspace.value],
    query: async () => {
      const params = { query: { workspace: workspace.value, limit: MOST_DEFINITIONS } }
      const [workflows, agents] = await Promise.all([api.GET('/api/workflows', { params }), api.GET('/api/agents', { params })])
      return [...body(workflows).data, ...body(agents).data].map(({ pool }) => ({ pool }))
    },
  })
  const workers = useQuery({
    key: ['workers'],
    enabled: () => includes(session.role, 'admin'),
    query: async () => body(await api.GET('/api/workers')).data,
  })
  /** False only where it is known that nobody executes the pool's runs now. */
  function hasWorkers(pool: string): boolean {
    return workers.data.value?.some((worker: Schemas['Worker']) => worker.pool === pool && worker.is_online) ?? true
  }
  return { names: computed(() => poolNames(workers.data.value ?? [], used.data.value ?? [])), hasWorkers }
}
