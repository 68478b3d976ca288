import type { DefinitionUsage } from './usage'

export interface Check {
  name: string
  isFine: boolean
  title: string
  text: string
}

interface Publish {
  env: string
  isProtected: boolean
  note: string
  version: string
  /** Whether the environment serves the same definition already. */
  isSame: boolean
  problems: readonly string[]
  usage: DefinitionUsage | undefined
}

type Translate = (key: string, values: Record<string, string | number>, count?: number) => string

/** What a publish of an agent or a workflow would do, warnings first. */
export function publishChecks(publish: Publish, t: Translate): Check[] {
  const list = [...problemChecks(publish, t), ...placeChecks(publish, t), ...usageChecks(publish, t)]
  return [...list.filter((check) => !check.isFine), ...list.filter((check) => check.isFine)]
}

function problemChecks({ problems, isSame, env }: Publish, t: Translate): Check[] {
  const [first] = problems
  const wrong = first === undefined ? [] : [{ name: 'problems', isFine: false, title: t('versions.check.problems', { count: problems.length }, problems.length), text: t('versions.check.problemsText', { first }) }]
  return isSame ? [...wrong, { name: 'same', isFine: false, title: t('versions.check.same', {}), text: t('versions.check.sameText', { env }) }] : wrong
}

function placeChecks({ env, isProtected, note, version }: Publish, t: Translate): Check[] {
  if (!isProtected) return [{ name: 'open', isFine: true, title: t('versions.check.open', { env }), text: t('versions.check.openText', { version }) }]
  const hasNote = note.trim() !== ''
  return [{ name: 'protected', isFine: hasNote, title: t('versions.check.protected', { env }), text: t(hasNote ? 'versions.check.protectedFine' : 'versions.check.protectedText', {}) }]
}

function usageChecks({ usage }: Publish, t: Translate): Check[] {
  if (!usage) return []
  const names = usage.workflows.map((workflow) => workflow.key)
  return [names.length ? { name: 'usedBy', isFine: true, title: t('versions.check.usedBy', { count: names.length }, names.length), text: t('versions.check.usedByText', { names: names.join(', ') }) } : { name: 'unused', isFine: true, title: t('versions.check.unused', {}), text: '' }]
}
