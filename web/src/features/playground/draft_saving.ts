import { useQueryCache } from '@pinia/colada'
import { ref } from 'vue'

import { ApiError, api, body } from '@/api/client'

import type { Parameters } from '@/app/parameters'

import type { Prompt } from './source'
import type { WorkingText } from './working_text'

export interface DraftTarget {
  key: string
  env: string
}

/** Saves a column's text, model and parameters as the draft of a prompt, never unseen over another's edit. */
export function useDraftSaving(workspace: string) {
  const cache = useQueryCache()
  /** The draft that is there now and that saving replaces. */
  const current = ref<Prompt>()
  const isConflict = ref(false)
  const error = ref<Error>()
  const busy = ref(false)

  /** Look up what stands under that key. */
  async function look({ key, env }: DraftTarget): Promise<void> {
    const { data } = body(await api.GET('/api/prompts', { params: { query: { workspace, q: key } } }))
    current.value = data.find((prompt) => prompt.key === key && prompt.env === env)
  }

  async function save(target: DraftTarget, draft: { text: WorkingText; model: string; parameters: Parameters }): Promise<Prompt | undefined> {
    busy.value = true
    error.value = undefined
    try {
      const seen = current.value
      const content = draft.text.kind === 'chat' ? { kind: 'chat' as const, messages: draft.text.messages } : { kind: 'text' as const, content: draft.text.content }
      const fields = { ...content, ...(draft.model ? { model: draft.model } : {}), config: { ...(seen?.config ?? {}), ...draft.parameters } }
      const saved = seen
        ? body(await api.PUT('/api/prompts/{prompt_id}', { params: { path: { prompt_id: seen.id } }, body: { ...fields, if_revision: seen.revision } }))
        : body(await api.POST('/api/prompts', { params: { query: { workspace } }, body: { ...target, ...fields } }))
      await cache.invalidateQueries({ key: ['prompts'] })
      return saved.data
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 409 && failure.body.current) {
        current.value = failure.body.current as Prompt
        isConflict.value = true
      } else error.value = failure as Error
      return undefined
    } finally {
      busy.value = false
    }
  }

  return { current, isConflict, error, busy, look, save }
}
