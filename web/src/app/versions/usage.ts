import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { api, body, type Schemas } from '@/api/client'

import type { DefinitionKind } from './definitions'

export type DefinitionUsage = Schemas['DefinitionUsage']

/** Who runs an agent or a workflow: workflows by their steps, and whoever started it of late. */
export function useDefinitionUsage(kind: DefinitionKind, id: Ref<string | undefined>) {
  return useQuery({
    key: () => [`${kind}s`, 'usage', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () =>
      kind === 'agent'
        ? body(await api.GET('/api/agents/{agent_id}/usage', { params: { path: { agent_id: id.value ?? '' } } })).data
        : body(await api.GET('/api/workflows/{workflow_id}/usage', { params: { path: { workflow_id: id.value ?? '' } } })).data,
  })
}

/** Whom a deletion affects, in one sentence; empty until it is known. */
export function useAffected(kind: DefinitionKind, id: Ref<string | undefined>) {
  const { t } = useI18n()
  const { data: usage } = useDefinitionUsage(kind, id)
  return computed(() => {
    if (!usage.value) return ''
    const names = [...usage.value.workflows.map(({ key }) => key), ...usage.value.callers.map(({ name, runs }) => `${name} (${t('versions.reach.runs', { count: runs }, runs)})`)]
    return names.length ? t('versions.affected.used', { names: names.join(', ') }) : t('versions.affected.none')
  })
}
