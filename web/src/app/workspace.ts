import { useQuery } from '@pinia/colada'
import { computed, watchEffect } from 'vue'
import { useRoute } from 'vue-router'

import { api, body } from '@/api/client'

import { includes, useSession, type Role } from './session'

const REMEMBERED = 'promptops.workspace'

export function rememberedWorkspace(): string {
  return localStorage.getItem(REMEMBERED) ?? 'default'
}

/** All workspaces that the user may see. */
export function useWorkspaces() {
  return useQuery({ key: ['workspaces'], query: async () => body(await api.GET('/api/workspaces')).data })
}

/**
 * The user's role in a workspace, as the platform says it: in a restricted one it may be lower than
 * the user's own. Until the workspace is loaded, the own role stands for it.
 */
export function roleIn(workspace: { role: string } | undefined, own: Role): Role {
  return (workspace?.role as Role | undefined) ?? own
}

/** The workspace of the page, by the slug in its address. */
export function useWorkspace() {
  const route = useRoute()
  const session = useSession()
  const { data: workspaces } = useWorkspaces()
  const slug = computed(() => String(route.params.workspace ?? rememberedWorkspace()))
  const workspace = computed(() => workspaces.value?.find((one) => one.slug === slug.value || one.id === slug.value))
  const role = computed(() => roleIn(workspace.value, session.role))
  watchEffect(() => {
    if (workspace.value) localStorage.setItem(REMEMBERED, workspace.value.slug)
  })

  /** Whether the user's role in this workspace is enough. */
  function may(required: Role): boolean {
    return includes(role.value, required)
  }

  return { slug, workspace, workspaces, role, may }
}

/** The environments of the page's workspace, in their order. */
export function useEnvironments() {
  const { workspace } = useWorkspace()
  return useQuery({
    key: () => ['workspaces', workspace.value?.id ?? '', 'environments'],
    enabled: () => workspace.value !== undefined,
    query: async () =>
      body(await api.GET('/api/workspaces/{workspace_id}/environments', { params: { path: { workspace_id: workspace.value?.id ?? '' } } })).data,
  })
}
