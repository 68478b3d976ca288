import { variablesOf } from './state'
import { reachOf, type PromptUsage } from './usage'

/** What a publish would do: a name for its sentences, and what they say. */
export interface Check {
  name: 'newVariables' | 'variables' | 'same' | 'protected' | 'protectedWithNote' | 'rollout' | 'noRollout' | 'usedBy' | 'pinned'
  isFine: boolean
  /** For the plural forms. */
  count: number
  values: Record<string, string | number>
}

interface Publish {
  /** The text that is served now; null before the first publish. */
  before: string | null
  after: string
  served: string
  label: string
  env: string
  isProtected: boolean
  note: string
  hasRollout: boolean
  usage: PromptUsage | undefined
}

/** The checks of a publish, warnings first. */
export function checksOf(publish: Publish): Check[] {
  const list = [...variableChecks(publish), ...environmentChecks(publish), ...usageChecks(publish)]
  return [...list.filter((check) => !check.isFine), ...list.filter((check) => check.isFine)]
}

function check(name: Check['name'], isFine: boolean, values: Check['values'] = {}, count = 1): Check {
  return { name, isFine, values, count }
}

function variableChecks({ before, after, served, usage }: Publish): Check[] {
  if (before === null) return []
  const old = variablesOf(before)
  const added = variablesOf(after).filter((name) => !old.includes(name))
  const programs = usage ? reachOf(usage.programs).all : 0
  const checks = added.length ? [check('newVariables', false, { names: added.join(', '), programs }, added.length)] : [check('variables', true)]
  return before === after ? [check('same', false, { version: served }), ...checks] : checks
}

function environmentChecks({ env, isProtected, note, hasRollout, label }: Publish): Check[] {
  const rollout = hasRollout ? check('rollout', false) : check('noRollout', true, { version: label })
  if (!isProtected) return [rollout]
  return [note.trim() ? check('protectedWithNote', true, { env }) : check('protected', false, { env }), rollout]
}

function usageChecks({ usage }: Publish): Check[] {
  if (!usage) return []
  const agents = usage.agents.filter((agent) => agent.version === null)
  const pinned = usage.agents.filter((agent) => agent.version !== null)
  const names = [...agents, ...usage.workflows].map((one) => one.key)
  const checks = names.length ? [check('usedBy', true, { agents: agents.length, workflows: usage.workflows.length, names: names.join(', ') }, names.length)] : []
  return pinned.length ? [...checks, check('pinned', true, { names: pinned.map((agent) => `${agent.key} (${agent.version})`).join(', '), count: pinned.length }, pinned.length)] : checks
}
