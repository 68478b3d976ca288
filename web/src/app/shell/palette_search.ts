import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body } from '@/api/client'

import { useWorkspace } from '../workspace'

export interface Hit {
  id: string
  label: string
  detail: string
  route: { name: string; params: Record<string, string>; query?: Record<string, string> }
}

const LIMIT = 20

/** What the platform finds for the typed text in the page's workspace. */
export function usePaletteSearch(typed: Ref<string>, enabled: Ref<boolean>) {
  const { slug } = useWorkspace()
  const q = computed(() => typed.value.trim())
  const isOn = () => enabled.value && q.value.length > 0
  const prompts = useQuery({
    key: () => ['prompts', 'palette', slug.value, q.value],
    enabled: isOn,
    placeholderData: (previous) => previous,
    query: async () => body(await api.GET('/api/prompts', { params: { query: { workspace: slug.value, q: q.value, limit: LIMIT } } })).data,
  })
  const agents = useQuery({
    key: () => ['agents', 'palette', slug.value, q.value],
    enabled: isOn,
    placeholderData: (previous) => previous,
    query: async () => body(await api.GET('/api/agents', { params: { query: { workspace: slug.value, q: q.value, limit: LIMIT } } })).data,
  })
  const workflows = useQuery({
    key: () => ['workflows', 'palette', slug.value, q.value],
    enabled: isOn,
    placeholderData: (previous) => previous,
    query: async () => body(await api.GET('/api/workflows', { params: { query: { workspace: slug.value, q: q.value, limit: LIMIT } } })).data,
  })
  const schedules = useQuery({
    key: () => ['schedules', 'palette', slug.value, q.value],
    enabled: isOn,
    placeholderData: (previous) => previous,
    query: async () => body(await api.GET('/api/schedules', { params: { query: { workspace: slug.value, q: q.value, limit: LIMIT } } })).data,
  })
  const triggers = useQuery({
    key: () => ['triggers', 'palette', slug.value, q.value],
    enabled: isOn,
    placeholderData: (previous) => previous,
    query: async () => body(await api.GET('/api/triggers', { params: { query: { workspace: slug.value, q: q.value, limit: LIMIT } } })).data,
  })
  const runs = useQuery({
    key: () => ['runs', 'palette', slug.value, q.value],
    enabled: isOn,
    placeholderData: (previous) => previous,
    query: async () => body(await api.GET('/api/runs', { params: { query: { workspace: slug.value, key: q.value, limit: LIMIT } } })).data,
  })

  return computed(() => {
    if (!q.value) return []
    const workspace = slug.value
    return [
      {
        group: 'prompts',
        hits: (prompts.data.value ?? []).map((prompt): Hit => ({ id: prompt.id, label: prompt.key, detail: prompt.env, route: { name: 'prompt', params: { workspace, key: prompt.key }, query: { env: prompt.env } } })),
      },
      {
        group: 'agents',
        hits: (agents.data.value ?? []).map((agent): Hit => ({ id: agent.id, label: agent.key, detail: agent.name, route: { name: 'agent', params: { workspace, key: agent.key } } })),
      },
      {
        group: 'workflows',
        hits: (workflows.data.value ?? []).map((workflow): Hit => ({ id: workflow.id, label: workflow.key, detail: workflow.name, route: { name: 'workflow', params: { workspace, key: workflow.key } } })),
      },
      {
        group: 'schedules',
        hits: (schedules.data.value ?? []).map((schedule): Hit => ({ id: schedule.id, label: schedule.key, detail: schedule.workflow ?? schedule.agent ?? '', route: { name: 'schedules', params: { workspace }, query: { schedule: schedule.id } } })),
      },
      {
        group: 'triggers',
        hits: (triggers.data.value ?? []).map((trigger): Hit => ({ id: trigger.id, label: trigger.key, detail: '', route: { name: 'triggers', params: { workspace }, query: { trigger: trigger.id } } })),
      },
      {
        group: 'runs',
        hits: (runs.data.value ?? []).map((run): Hit => ({ id: run.id, label: run.ref_key || run.source, detail: run.id.slice(-8), route: { name: 'run', params: { workspace, run: run.id } } })),
      },
    ]
  })
}
