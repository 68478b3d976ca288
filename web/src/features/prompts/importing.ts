import type { Message } from '@/app/chat'

/** What a pasted text or a file holds. */
export type Imported = { kind: 'text'; content: string } | { kind: 'chat'; messages: Message[] }

/**
 * A JSON list of messages, or an object with `messages` as in a request to a model, is a chat;
 * everything else is a text, JSON that is no chat included. Whether a message is valid is for the platform to say.
 */
export function readImport(source: string): Imported {
  const text = source.replace(/^\uFEFF/u, '')
  const messages = messagesIn(text)
  return messages ? { kind: 'chat', messages } : { kind: 'text', content: text }
}

/** The key that a file's name suggests: what a key can't have becomes a dot. */
export function keyOfFile(name: string): string {
  return name.replace(/\.[^.]*$/u, '').replace(/[^\p{L}\p{N}_.:-]+/gu, '.').replace(/^\.+|\.+$/gu, '')
}

function messagesIn(text: string): Message[] | null {
  if (!/^\s*[[{]/u.test(text)) return null
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  const list: unknown = Array.isArray(parsed) ? parsed : (parsed as { messages?: unknown }).messages
  const isChat = Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === 'object' && one !== null && ('role' in one || (one as { type?: unknown }).type === 'placeholder'))
  return isChat ? (list as Message[]) : null
}
