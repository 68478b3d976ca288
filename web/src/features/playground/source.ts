import { useQuery } from '@pinia/colada'
import { computed, reactive, ref, watch } from 'vue'

import { api, body, type Schemas } from '@/api/client'
import { useUrlState } from '@/app/url_state'
import { useWorkspace } from '@/app/workspace'

import { DRAFT, EDITED, type Column } from './columns'
import { emptyText, isSame, textOf, type WorkingText } from './working_text'

export type Prompt = Schemas['Prompt']
export type PromptVersion = Schemas['PromptVersion']

interface Kept {
  variables: Record<string, string>
  /** Texts that were typed here, by the prompt's id, or by the kind where there is no prompt. */
  texts: Record<string, WorkingText>
}

const KEPT = 'promptops.playground'

/** What the playground asks: a prompt of the registry by its address, or a text typed here. Both outlast a reload of the tab. */
export function usePlaygroundSource() {
  const { slug, workspaces } = useWorkspace()
  const key = useUrlState('prompt')
  const env = useUrlState('env')
  const freeKind = useUrlState('kind', 'text')
  const kept = reactive<Kept>(readKept())
  watch(kept, () => sessionStorage.setItem(KEPT, JSON.stringify(kept)))

  const rows = useQuery({
    key: () => ['prompts', slug.value, 'key', key.value],
    enabled: () => key.value !== '',
    query: async () => body(await api.GET('/api/prompts', { params: { query: { workspace: slug.value, q: key.value } } })).data.filter((prompt) => prompt.key === key.value),
  })
  const prompt = computed<Prompt | undefined>(() => (key.value ? (rows.data.value?.find((row) => row.env === env.value) ?? rows.data.value?.[0]) : undefined))
  const versionQuery = useQuery({
    key: () => ['prompts', 'versions', prompt.value?.id ?? ''],
    enabled: () => prompt.value !== undefined,
    query: async () => body(await api.GET('/api/prompts/{prompt_id}/versions', { params: { path: { prompt_id: prompt.value?.id ?? '' } } })).data,
  })
  const versions = computed<PromptVersion[]>(() => (prompt.value ? (versionQuery.data.value ?? []) : []))
  const isReady = computed(() => !key.value || (prompt.value !== undefined && versionQuery.data.value !== undefined))
  const isMissing = computed(() => key.value !== '' && rows.data.value !== undefined && prompt.value === undefined)

  const served = computed(() => prompt.value?.published_version ?? DRAFT)
  const place = computed(() => prompt.value?.id ?? freeKind.value)
  /** What the text was before it was changed here. */
  const origin = computed<WorkingText>(() => (prompt.value ? textOf(prompt.value) : emptyText(freeKind.value === 'chat' ? 'chat' : 'text')))
  const text = ref<WorkingText>(origin.value)
  watch([place, origin], ([now, from], before) => {
    // A draft that somebody else saves meanwhile replaces what is shown, not what was typed.
    if (before && before[0] === now && !isSame(text.value, before[1] as WorkingText)) return
    text.value = structuredClone(kept.texts[now] ? (JSON.parse(JSON.stringify(kept.texts[now])) as WorkingText) : from)
  }, { immediate: true })
  const isEdited = computed(() => !prompt.value || !isSame(text.value, origin.value))
  watch(text, (now) => {
    if (isSame(now, origin.value)) delete kept.texts[place.value]
    else kept.texts[place.value] = JSON.parse(JSON.stringify(now)) as WorkingText
  }, { deep: true })

  /** The version that a column asks: a label that this prompt does not have means what is served. */
  function versionOf(column: Pick<Column, 'version'>): string {
    if (!prompt.value) return EDITED
    const { version } = column
    const isThere = version === DRAFT || (version === EDITED && isEdited.value) || versions.value.some((one) => one.version === version)
    return isThere ? version : served.value
  }

  function textFor(version: string): WorkingText {
    if (version === EDITED || !prompt.value) return text.value
    return textOf(versions.value.find((one) => one.version === version) ?? prompt.value)
  }

  function configFor(version: string): Record<string, unknown> {
    return versions.value.find((one) => one.version === version)?.config ?? prompt.value?.config ?? {}
  }

  /** Back to the draft's text, or to none. */
  function resetText(): void {
    text.value = JSON.parse(JSON.stringify(origin.value)) as WorkingText
  }

  function setVariable(name: string, value: string): void {
    kept.variables[name] = value
  }

  return { slug, workspaces, setVariable, key, env, freeKind, prompt, versions, rows, isReady, isMissing, served, text, isEdited, variables: kept.variables, versionOf, textFor, configFor, resetText }
}

export type Source = ReturnType<typeof usePlaygroundSource>

function readKept(): Kept {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? '') as Partial<Kept>
    return { variables: kept.variables ?? {}, texts: kept.texts ?? {} }
  } catch {
    return { variables: {}, texts: {} }
  }
}
