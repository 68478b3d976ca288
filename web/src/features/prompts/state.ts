import type { Prompt } from './queries'

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

/** Names of `{{ variables }}` as the platform finds them: letters, digits, `_` and `.`, by first appearance. */
export function variablesOf(text: string): string[] {
  return [...new Set([...text.matchAll(/\{\{[ \t\r\n]*([\p{L}\p{Nd}_.]+)[ \t\r\n]*\}\}/gu)].map((match) => match[1] as string))]
}

/** The text with its variables filled in; what is not given stays as it was written. */
export function rendered(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{[ \t\r\n]*([\p{L}\p{Nd}_.]+)[ \t\r\n]*\}\}/gu, (whole, name: string) => (Object.hasOwn(values, name) && values[name]) || whole)
}

/** About how many tokens a model counts: 4 characters of Latin text, or one of Chinese, are one. */
export function tokensOf(text: string): number {
  const wide = (text.match(/[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]/gu) ?? []).length
  return Math.ceil(wide + (text.length - wide) / 4)
}
