import { isTextMessage, kindOf, placeholdersOf, renderedMessage, shownMessage, type Message } from '@/app/chat'
import { variablesOf } from '@/app/templates'
import type { VariableInput } from '@/app/variable_values'

/** A prompt's text, or the messages of a chat. */
export interface WorkingText {
  kind: 'text' | 'chat'
  content: string
  messages: Message[]
}

/** A prompt or a version of it, as far as its text goes. */
interface Body {
  kind: string
  content: string
  messages: readonly unknown[]
}

export function textOf(body: Body): WorkingText {
  const messages = JSON.parse(JSON.stringify(body.messages)) as Message[]
  return body.kind === 'chat' ? { kind: 'chat', content: '', messages } : { kind: 'text', content: body.content, messages: [] }
}

export function emptyText(kind: WorkingText['kind']): WorkingText {
  return { kind, content: '', messages: kind === 'chat' ? [{ role: 'system', content: '' }, { role: 'user', content: '' }] : [] }
}

export function isEmpty(text: WorkingText): boolean {
  return text.kind === 'chat' ? text.messages.every((message) => isTextMessage(message) && !message.content.trim()) : !text.content.trim()
}

export function isSame(one: WorkingText, other: WorkingText): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** All its texts, for the names of variables and for a difference. */
export function wholeText(text: WorkingText): string {
  return text.kind === 'chat' ? text.messages.map((message) => `[${kindOf(message)}]\n${shownMessage(message)}`).join('\n\n') : text.content
}

/** The messages as the model will get them, as far as the variables have values. */
export function preview(text: WorkingText, values: Readonly<Record<string, string>>): Message[] {
  const messages: Message[] = text.kind === 'chat' ? text.messages : [{ role: 'user', content: text.content }]
  return messages.map((message) => renderedMessage(message, values))
}

/** The variables of a text, and the placeholders of a chat. */
export function inputsOf(text: WorkingText): VariableInput[] {
  const lists = placeholdersOf(text.messages)
  const names = variablesOf(wholeText(text)).filter((name) => !lists.includes(name))
  return [...names.map((name) => ({ name, isList: false })), ...lists.map((name) => ({ name, isList: true }))]
}

/** The inputs of all texts together, each with the labels of those that have it where not all do. */
export function inputsAcross(texts: readonly { label: string; text: WorkingText }[]): (VariableInput & { only: string[] })[] {
  const inputs = new Map<string, VariableInput & { having: Set<string> }>()
  for (const { label, text } of texts) {
    for (const input of inputsOf(text)) {
      const before = inputs.get(input.name)
      inputs.set(input.name, { ...input, isList: input.isList || !!before?.isList, having: (before?.having ?? new Set()).add(label) })
    }
  }
  const all = new Set(texts.map(({ label }) => label)).size
  return [...inputs.values()].map(({ name, isList, having }) => ({ name, isList, only: having.size < all ? [...having] : [] }))
}
