import { useQuery } from '@pinia/colada'
import { computed, onScopeDispose, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { api, body, type Schemas } from '@/api/client'

export type PromptUsage = Schemas['PromptUsage']
export type ProgramUse = Schemas['ProgramUse']

const LOOK_AGAIN_MS = 2_000

/** Who uses a prompt; asked again while a program is behind. */
export function usePromptUsage(id: Ref<string | undefined>) {
  const usage = useQuery({
    key: () => ['prompts', 'usage', id.value ?? ''],
    enabled: () => id.value !== undefined,
    query: async () => body(await api.GET('/api/prompts/{prompt_id}/usage', { params: { path: { prompt_id: id.value ?? '' } } })).data,
  })
  const timer = window.setInterval(() => {
    if (usage.data.value?.programs.some((program) => program.current < program.connected)) void usage.refetch()
  }, LOOK_AGAIN_MS)
  onScopeDispose(() => window.clearInterval(timer))
  return usage
}

/** How many programs a publish reaches: those that hold the prompt, and older ones that report nothing. */
export function reachOf(programs: readonly ProgramUse[]): { connected: number; current: number; silent: number; all: number } {
  const sum = (name: 'connected' | 'current' | 'silent') => programs.reduce((total, program) => total + program[name], 0)
  return { connected: sum('connected'), current: sum('current'), silent: sum('silent'), all: sum('connected') + sum('silent') }
}

/** Programs by name, whatever the version of their SDK; the largest first. */
export function byName(programs: readonly ProgramUse[]): { name: string; kinds: string; count: number }[] {
  const totals = new Map<string, { name: string; kinds: string; count: number }>()
  for (const program of programs) {
    const name = program.app || program.client_type
    const kind = `${program.client_type} ${program.version}`.trim()
    const before = totals.get(name)
    const kinds = before && before.kinds !== kind ? `${before.kinds}, ${kind}` : kind
    totals.set(name, { name, kinds, count: (before?.count ?? 0) + program.connected + program.silent })
  }
  return [...totals.values()].sort((one, other) => other.count - one.count)
}

/** Whom a deletion affects, in one sentence; empty until it is known. */
export function useAffected(id: Ref<string | undefined>) {
  const { t } = useI18n()
  const { data: usage } = usePromptUsage(id)
  return computed(() => {
    if (!usage.value) return ''
    const names = [...usage.value.agents, ...usage.value.workflows].map(({ key }) => key)
    const programs = reachOf(usage.value.programs).all
    const used = names.length ? t('versions.affected.used', { names: names.join(', ') }) : ''
    return `${used} ${programs ? t('versions.affected.programs', { count: programs }, programs) : ''}`.trim() || t('versions.affected.none')
  })
}
