import { useQueryCache } from '@pinia/colada'
import { computed, reactive, ref, watch, type Ref } from 'vue'

import { ApiError, api, body } from '@/api/client'

import { changedNames, editOf, fieldsOf, mergeEdits, plain, type AgentFields, type FieldName, type Merge } from './definition'
import type { Agent } from './queries'

export interface AgentConflict {
  current: Agent
  merge: Merge
}

interface Kept {
  base: Agent
  fields: AgentFields
}

/**
 * An agent as it is being edited. A saved agent is used at once, so it is saved on request only;
 * what was typed outlasts the page until then.
 */
export function useAgentDraft(agent: Ref<Agent | null | undefined>) {
  const cache = useQueryCache()
  const base = ref<Agent>()
  const fields = reactive({}) as AgentFields
  const conflict = ref<AgentConflict>()
  const error = ref('')
  const busy = ref(false)
  const changed = computed<FieldName[]>(() => (base.value && 'tools' in fields ? changedNames(fieldsOf(base.value), fields) : []))
  const isDirty = computed(() => changed.value.length > 0)

  function take(from: Agent, edited: AgentFields = fieldsOf(from)): void {
    base.value = from
    Object.assign(fields, plain(edited))
    conflict.value = undefined
    error.value = ''
  }

  watch(agent, (next) => {
    if (!next) return
    if (next.id !== base.value?.id) {
      const kept = readKept(next.id)
      // What was kept by an older console lacks the fields that are new.
      if (kept) take({ ...next, ...kept.base }, { ...fieldsOf(next), ...kept.fields })
      else take(next)
    } else if (!isDirty.value) take(next)
  }, { immediate: true })
  watch([fields, base], () => {
    if (!base.value) return
    if (isDirty.value) sessionStorage.setItem(placeOf(base.value.id), JSON.stringify({ base: base.value, fields }))
    else sessionStorage.removeItem(placeOf(base.value.id))
  }, { deep: true })

  /** Whether everything is saved. */
  async function save(): Promise<boolean> {
    const from = base.value
    if (!from || busy.value) return false
    const edit = editOf(fieldsOf(from), fields)
    if (!Object.keys(edit).length) return true
    busy.value = true
    error.value = ''
    try {
      const saved = body(await api.PUT('/api/agents/{agent_id}', { params: { path: { agent_id: from.id } }, body: { ...edit, if_version: from.version } })).data
      take(saved)
      await cache.invalidateQueries({ key: ['agents'] })
      return true
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure
      const current = failure.body.current as Agent | undefined
      if (failure.status === 409 && current) conflict.value = { current, merge: mergeEdits(fieldsOf(from), plain(fields), fieldsOf(current)) }
      else error.value = failure.message || failure.code
      return false
    } finally {
      busy.value = false
    }
  }

  /** Settle a conflict with these fields on top of what is stored now, and save them. */
  async function resolve(merged: AgentFields): Promise<boolean> {
    if (!conflict.value) return true
    take(conflict.value.current, merged)
    return save()
  }

  function discard(): void {
    const current = conflict.value?.current ?? agent.value
    if (current) take(current)
  }

  return { base, fields, conflict, error, busy, changed, isDirty, save, resolve, discard }
}

export type AgentDraft = ReturnType<typeof useAgentDraft>

const placeOf = (id: string) => `promptops.agent.${id}`

function readKept(id: string): Kept | null {
  try {
    return JSON.parse(sessionStorage.getItem(placeOf(id)) ?? 'null') as Kept | null
  } catch {
    return null
  }
}
