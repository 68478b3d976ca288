import { useQuery, useQueryCache } from '@pinia/colada'
import { ref, type Ref } from 'vue'

import { ApiError, api, body, type Schemas } from '@/api/client'

export type ChangeRequest = Schemas['ChangeRequest']
export type ChangeRequestDetail = Schemas['ChangeRequestDetail']

/** A change request with its diff. */
export function useChangeRequest(id: Ref<string>) {
  return useQuery({
    key: () => ['change-requests', 'one', id.value],
    query: async () => body(await api.GET('/api/change-requests/{request_id}', { params: { path: { request_id: id.value } } })).data,
  })
}

/** What can be done to a request. What the platform refuses is kept as its sentence. */
export function useDeciding(id: Ref<string>) {
  const cache = useQueryCache()
  const busy = ref('')
  const failure = ref('')
  const params = () => ({ path: { request_id: id.value } })

  /** Whether it was done. */
  async function act(name: string, send: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = name
    failure.value = ''
    try {
      await send()
      return true
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      failure.value = error.message
      return false
    } finally {
      busy.value = ''
      void cache.invalidateQueries({ key: ['change-requests'] })
    }
  }

  return {
    busy, failure,
    comment: (comment: string) => act('comment', () => api.POST('/api/change-requests/{request_id}/comments', { params: params(), body: { comment } })),
    approve: (comment: string) => act('approve', () => api.POST('/api/change-requests/{request_id}/approve', { params: params(), body: { comment: comment || undefined } })),
    reject: (comment: string) => act('reject', () => api.POST('/api/change-requests/{request_id}/reject', { params: params(), body: { comment } })),
    withdraw: () => act('withdraw', () => api.POST('/api/change-requests/{request_id}/withdraw', { params: params() })),
    refresh: () => act('refresh', () => api.POST('/api/change-requests/{request_id}/refresh', { params: params() })),
    schedule: (at: string | null) => act('schedule', () => api.POST('/api/change-requests/{request_id}/schedule', { params: params(), body: { apply_at: at } })),
    apply: () => act('apply', () => api.POST('/api/change-requests/{request_id}/apply', { params: params(), body: { bypass: false } })),
    bypass: (reason: string) => act('bypass', () => api.POST('/api/change-requests/{request_id}/apply', { params: params(), body: { bypass: true, reason } })),
  }
}

export type Deciding = ReturnType<typeof useDeciding>
