import { bodyOfSwitches, switchesOf, type Switches } from './compatibility'
import type { Connection } from './lists'

export const KINDS = ['openai', 'claude', 'gemini', 'ollama', 'openai-compatible', 'mock'] as const
export type Kind = (typeof KINDS)[number]

export interface ConnectionFields {
  name: string
  kind: Kind
  base_url: string
  model: string
  /** Empty keeps what is stored. */
  api_key: string
  removeKey: boolean
  first_token_seconds: string | number
  answer_seconds: string | number
  compatibility: Switches
}

export function defaultsOf(connection?: Connection): ConnectionFields {
  return {
    name: connection?.name ?? 'openai',
    kind: (connection?.kind ?? 'openai') as Kind,
    base_url: connection?.base_url ?? '',
    model: connection?.model ?? '',
    api_key: '',
    removeKey: false,
    first_token_seconds: connection?.first_token_seconds ?? '',
    answer_seconds: connection?.answer_seconds ?? '',
    compatibility: switchesOf(connection?.compatibility),
  }
}

/** What is sent: a key only where one was typed, null where the stored one shall go. */
export function bodyOf(form: ConnectionFields) {
  const seconds = (value: string | number) => (value === '' ? null : Number(value))
  const key = form.api_key ? { api_key: form.api_key } : form.removeKey ? { api_key: null } : {}
  return { name: form.name, kind: form.kind, base_url: form.base_url || null, model: form.model || null, first_token_seconds: seconds(form.first_token_seconds), answer_seconds: seconds(form.answer_seconds), compatibility: bodyOfSwitches(form.compatibility), ...key }
}
