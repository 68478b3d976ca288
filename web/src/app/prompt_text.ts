import { kindOf, shownMessage, type Message } from './chat'

interface Body {
  kind: string
  content: string
  messages: readonly unknown[]
  model: string
  config: Record<string, unknown>
}

/** All that a publish changes as one text, for a difference: the model and config, then the messages. */
export function bodyText(body: Body | undefined): string {
  if (!body) return ''
  const config = JSON.stringify(body.config, null, 2)
  const head = [body.model && `model: ${body.model}`, config !== '{}' && `config: ${config}`].filter(Boolean).join('\n')
  const messages = body.messages as Message[]
  const text = body.kind === 'chat' ? messages.map((message) => `[${kindOf(message)}]\n${shownMessage(message)}`).join('\n\n') : body.content
  return head ? `${head}\n\n${text}` : text
}
