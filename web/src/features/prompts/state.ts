import type { Prompt } from './queries'

export { rendered, tokensOf, variablesOf } from '@/app/templates'

export type PromptState = 'published' | 'draft' | 'never'

/** Whether programs get a published version, one that is older than the draft, or the draft itself. */
export function stateOf(prompt: Prompt): PromptState {
  if (!prompt.published_version) return 'never'
  return prompt.draft_ahead ? 'draft' : 'published'
}

/** `v14` after `v13`; a label of another form is left as it is. */
export function nextVersion(label: string): string {
  const [, before, number] = /^(.*?)(\d+)$/u.exec(label) ?? []
  return number === undefined ? label : `${before}${Number(number) + 1}`
}

/** The key with its namespace apart: all up to the last separator, and the name. */
export function partsOfKey(key: string): { namespace: string; name: string } {
  const at = Math.max(key.lastIndexOf('.'), key.lastIndexOf(':'))
  return at > 0 && at < key.length - 1 ? { namespace: key.slice(0, at + 1), name: key.slice(at + 1) } : { namespace: '', name: key }
}

/** A key as a part of an address; colons stay readable. */
export function pathOfKey(key: string): string {
  return encodeURIComponent(key).replaceAll('%3A', ':')
}
