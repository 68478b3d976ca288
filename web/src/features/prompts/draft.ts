import { useQueryCache } from '@pinia/colada'
import { computed, onScopeDispose, reactive, ref, watch, type Ref } from 'vue'

import { ApiError, api } from '@/api/client'

import { joinedTexts, variablesOfMessages, type Message } from '@/app/chat'
import type { Prompt } from './queries'
import { tokensOf, variablesOf } from './state'

const SAVE_AFTER_MS = 600
const TRY_AGAIN_MS = 3_000

export interface DraftFields {
  content: string
  messages: Message[]
  name: string
  category: string
  tags: string
  model: string
  config: Record<string, unknown>
}

/** What somebody else saved while this draft was open. */
export interface Conflict {
  current: Prompt
}

/** The working copy as it is being edited: it saves itself, never over somebody else's edit. */
export function useDraft(prompt: Ref<Prompt | undefined>) {
  const cache = useQueryCache()
  const fields = reactive<DraftFields>({ content: '', messages: [], name: '', category: '', tags: '', model: '', config: {} })
  const base = ref<Prompt>()
  const state = ref<'saved' | 'typing' | 'saving' | 'waiting'>('saved')
  const savedAt = ref<Date>()
  const conflict = ref<Conflict>()
  const error = ref('')
  let timer: number | undefined

  const isChat = computed(() => base.value?.kind === 'chat')
  const text = computed(() => (isChat.value ? joinedTexts(fields.messages) : fields.content))
  const variables = computed(() => (isChat.value ? variablesOfMessages(fields.messages) : variablesOf(fields.content)))
  const tokens = computed(() => tokensOf(text.value))
  const isDirty = computed(() => base.value !== undefined && JSON.stringify(changesOf(fields, base.value)) !== '{}')

  /** Take what the platform has, and forget what was typed. */
  function take(from: Prompt): void {
    base.value = from
    Object.assign(fields, fieldsOf(from))
    conflict.value = undefined
    error.value = ''
    state.value = 'saved'
  }

  watch(
    prompt,
    (next) => {
      if (!next) return
      const isOther = next.id !== base.value?.id
      if (isOther || !isDirty.value) take(next)
      else if (next.revision !== base.value?.revision) conflict.value = { current: next }
    },
    { immediate: true },
  )
  watch(fields, () => {
    if (!isDirty.value) return
    state.value = 'typing'
    window.clearTimeout(timer)
    timer = window.setTimeout(() => void save(), SAVE_AFTER_MS)
  })
  onScopeDispose(() => {
    window.clearTimeout(timer)
    if (isDirty.value && !conflict.value) void save()
  })

  /** Save what was typed; resolves with whether everything is saved. */
  async function save(): Promise<boolean> {
    window.clearTimeout(timer)
    const from = base.value
    if (!from || conflict.value) return false
    const changes = changesOf(fields, from)
    if (JSON.stringify(changes) === '{}') return true
    state.value = 'saving'
    try {
      const answer = await api.PUT('/api/prompts/{prompt_id}', { params: { path: { prompt_id: from.id }, header: { 'if-match': `"${from.revision}"` } }, body: changes })
      base.value = (answer.data as { data: Prompt }).data
      state.value = isDirty.value ? 'typing' : 'saved'
      savedAt.value = new Date()
      error.value = ''
      void cache.invalidateQueries({ key: ['prompts'] })
      return !isDirty.value || save()
    } catch (failure) {
      return failed(failure)
    }
  }

  function failed(failure: unknown): false {
    if (failure instanceof ApiError && failure.status === 409 && failure.body.current) {
      conflict.value = { current: failure.body.current as Prompt }
    } else if (failure instanceof ApiError && (failure.unreachable || failure.status === 401 || failure.status >= 500)) {
      // Nothing typed is lost: it is sent once the platform answers again.
      timer = window.setTimeout(() => void save(), TRY_AGAIN_MS)
    } else error.value = (failure as Error).message
    state.value = 'waiting'
    return false
  }

  /** Settle a conflict: keep what is given on top of what is stored now. */
  async function resolve(kept: Partial<DraftFields>): Promise<boolean> {
    if (!conflict.value) return true
    base.value = conflict.value.current
    conflict.value = undefined
    Object.assign(fields, kept)
    return save()
  }

  return { fields, base, state, savedAt, conflict, error, isChat, text, variables, tokens, isDirty, take, save, resolve }
}

export type Draft = ReturnType<typeof useDraft>

function fieldsOf(prompt: Prompt): DraftFields {
  const { content, name, category, tags, model } = prompt
  return { content, name, category, tags, model, messages: structuredClone(toPlain(prompt.messages)) as unknown as Message[], config: structuredClone(toPlain(prompt.config)) }
}

/** Only what differs: two people who change different fields are no conflict of texts. */
function changesOf(fields: DraftFields, prompt: Prompt): Partial<DraftFields> {
  const before = fieldsOf(prompt)
  const names = (Object.keys(before) as (keyof DraftFields)[]).filter((name) => !(prompt.kind === 'chat' && name === 'content') && !(prompt.kind !== 'chat' && name === 'messages'))
  return Object.fromEntries(names.filter((name) => JSON.stringify(fields[name]) !== JSON.stringify(before[name])).map((name) => [name, toPlain(fields[name])]))
}

function toPlain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
