import { useQuery } from '@pinia/colada'
import { computed, onScopeDispose } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'

import { api, body, onProposed } from '@/api/client'
import { notify } from '@/ui/toasts'

import { useEnvironments, useWorkspace } from './workspace'

/** Leads to the request that a change has become, wherever it was made. */
export function useProposals(): void {
  const { t } = useI18n()
  const router = useRouter()
  const { slug } = useWorkspace()
  onScopeDispose(onProposed((request) => {
    notify(t('app.proposed', { env: request.env }))
    void router.push({ name: 'change-request', params: { workspace: slug.value, id: request.id } })
  }))
}

/** How many requests wait in the workspace; undefined where no environment asks for approvals. */
export function useOpenRequestCount() {
  const { slug } = useWorkspace()
  const { data: environments } = useEnvironments()
  const isAsked = computed(() => environments.value?.some((one) => one.approvals > 0) ?? false)
  const { data } = useQuery({
    key: () => ['change-requests', 'count', slug.value],
    enabled: isAsked,
    query: async () => body(await api.GET('/api/change-requests', { params: { query: { workspace: slug.value, state: 'open', limit: 1 } } })).total,
  })
  return computed(() => (isAsked.value ? data.value : undefined))
}
