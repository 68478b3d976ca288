import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { useUrlState } from '../url_state'
import { useEnvironments, useWorkspace } from '../workspace'
import { labelOf, useDefinitionVersions, useVersionMoves, type Definition, type DefinitionKind, type DefinitionVersion } from './definitions'

/** What a run takes. */
export interface RunTarget {
  /** Empty for what is served where nothing is chosen, `draft`, `env:prod` or `version:3`. */
  value: string
  /** The version, null for the draft. */
  version: number | null
}

/** What a run may take, what is served first, then the draft, other environments and versions. */
export function runTargets(definition: Pick<Definition, 'published_version' | 'served'>, environments: readonly string[], versions: readonly Pick<DefinitionVersion, 'version'>[]): RunTarget[] {
  const { published_version: published, served } = definition
  const others = environments.slice(1).flatMap((name): RunTarget[] => (served[name] === undefined ? [] : [{ value: `env:${name}`, version: served[name] ?? null }]))
  const draft = published === null ? [] : [{ value: 'draft', version: null }]
  return [{ value: '', version: published }, ...draft, ...others, ...versions.map(({ version }) => ({ value: `version:${version}`, version }))]
}

/** What the run takes that a page starts: what is served, unless its address names something else. */
export function useRunTarget(kind: DefinitionKind, definition: Ref<Definition>) {
  const { t } = useI18n()
  const { may } = useWorkspace()
  const { data: environments } = useEnvironments()
  const id = computed(() => definition.value.id)
  const { versions } = useDefinitionVersions(kind, id)
  const moves = useVersionMoves(kind, id)
  const choice = useUrlState('target')
  const names = computed(() => (environments.value ?? []).map(({ name }) => name))
  const targets = computed(() => runTargets(definition.value, names.value, versions.value))
  const target = computed(() => targets.value.find(({ value }) => value === choice.value) ?? (targets.value[0] as RunTarget))
  const options = computed(() => targets.value.map(({ value, version }) => ({ value, label: labelOfTarget(value, version), disabled: value === 'draft' && !may('editor') })))
  const isDraft = computed(() => target.value.version === null)
  /** The definition of the version that is run; undefined for the draft, and until it is loaded. */
  const content = computed(() => versions.value.find(({ version }) => version === target.value.version)?.definition)

  function labelOfTarget(value: string, version: number | null): string {
    const label = labelOf(version ?? 0)
    if (value === '') return version === null ? t('versions.target.unpublished') : t('versions.target.served', { version: label, env: names.value[0] ?? '' })
    if (value === 'draft') return may('editor') ? t('versions.draft') : t('versions.target.draftNeedsRole', { role: t('app.role.editor') })
    return value.startsWith('env:') ? t('versions.target.served', { version: label, env: value.slice('env:'.length) }) : label
  }

  /** How a run names it. A draft that is not what is served becomes a version that no environment serves. */
  async function request(): Promise<{ version?: number; env?: string }> {
    const { value, version } = target.value
    if (value === 'draft') return { version: (await moves.make()).version }
    if (value.startsWith('env:')) return { env: value.slice('env:'.length) }
    return value && version !== null ? { version } : {}
  }

  function choose(value: string | undefined): void {
    choice.value = value ?? ''
  }

  return { choose, options, target, isDraft, content, request }
}

export type RunTargeting = ReturnType<typeof useRunTarget>
