import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body } from '@/api/client'

/** How many decisions of a workspace wait for a person; undefined until that is known, and for none. */
export function useWaitingApprovals(workspace: Ref<string>) {
  const query = useQuery({
    key: () => ['approvals', 'waiting', workspace.value],
    query: async () => body(await api.GET('/api/approvals', { params: { query: { workspace: workspace.value, state: 'waiting', limit: 1 } } })).total,
  })
  return computed(() => query.data.value || undefined)
}
