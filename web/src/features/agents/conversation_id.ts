import type { Ref } from 'vue'

import { newConversationId } from './chat'

/** The conversation of a chat, whose id stands in the address. */
export function useConversationId(address: Ref<string>) {
  const own = new Set<string>()

  /** The id for the next message, a new one where there is none. The address takes a moment to change. */
  function forNextMessage(): string {
    const id = address.value || newConversationId()
    own.add(id)
    address.value = id
    return id
  }

  /** Whether the page itself has said something in it, so that it is shown already. */
  function isOwn(id: string): boolean {
    return own.has(id)
  }

  return { forNextMessage, isOwn }
}
