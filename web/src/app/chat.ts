import type { Schemas } from '@/api/client'
import { rendered, variablesOf } from '@/app/templates'

export type Message = Schemas['Message']
/** A message that is one text: the editor takes no other, and keeps the others as they are. */
export interface TextMessage {
  role: 'system' | 'developer' | 'user' | 'assistant'
  content: string
}

const EDITED = ['system', 'developer', 'user', 'assistant']

export function isTextMessage(message: Message): message is Message & TextMessage {
  return 'role' in message && EDITED.includes(message.role) && typeof message.content === 'string' && !('tool_calls' in message && message.tool_calls?.length)
}

/** The role, or `placeholder`. */
export function kindOf(message: Message): 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'placeholder' {
  return 'role' in message ? message.role : 'placeholder'
}

/** All texts of the messages, as the platform joins them into the prompt's content. */
export function joinedTexts(messages: readonly Message[]): string {
  return messages.flatMap(textsOf).join('\n\n')
}

/** Names of variables in texts and URLs, by first appearance. */
export function variablesOfMessages(messages: readonly Message[]): string[] {
  return [...new Set(messages.flatMap(templatesOf).flatMap(variablesOf))]
}

/** A message for reading: its text, else all of it as JSON. */
export function shownMessage(message: Message): string {
  return isTextMessage(message) ? message.content : JSON.stringify(message, null, 2)
}

/** The message with the variables that have values; what fills a placeholder is not known here. */
export function renderedMessage(message: Message, values: Readonly<Record<string, string>>): Message {
  if (!('content' in message) || !message.content) return message
  const fill = (text: string) => rendered(text, values)
  const content = typeof message.content === 'string' ? fill(message.content) : message.content.map((part) => renderedPart(part, fill))
  return { ...message, content } as Message
}

function renderedPart(part: Schemas['UserPart'], fill: (text: string) => string): Schemas['UserPart'] {
  if (part.type === 'text') return { ...part, text: fill(part.text) }
  if (part.type === 'image_url') return { ...part, image_url: { ...part.image_url, url: fill(part.image_url.url) } }
  const { file } = part
  return { ...part, file: 'url' in file ? { ...file, url: fill(file.url) } : { ...file, file_data: fill(file.file_data) } }
}

function templatesOf(message: Message): string[] {
  const content = 'content' in message ? message.content : null
  if (typeof content === 'string') return [content]
  return (content ?? []).map((part) => {
    if (part.type === 'text') return part.text
    if (part.type === 'image_url') return part.image_url.url
    return 'url' in part.file ? part.file.url : part.file.file_data
  })
}

function textsOf(message: Message): string[] {
  const content = 'content' in message ? message.content : null
  if (typeof content === 'string') return [content]
  return (content ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : []))
}

/** Names of the placeholders, whose variables are lists of messages. */
export function placeholdersOf(messages: readonly Message[]): string[] {
  return messages.flatMap((message) => ('role' in message ? [] : [message.name]))
}
