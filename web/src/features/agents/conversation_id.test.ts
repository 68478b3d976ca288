import { expect, it } from 'vitest'
import { customRef, ref } from 'vue'

import { useConversationId } from './conversation_id'

it('is known for the first message, before the address has it', () => {
  let written = ''
  // As the router does: what is written is read back only after the navigation.
  const address = customRef<string>(() => ({ get: () => '', set: (id) => (written = id) }))
  const conversation = useConversationId(address)
  const id = conversation.forNextMessage()
  expect(id).not.toBe('')
  expect(written).toBe(id)
  expect(conversation.isOwn(id)).toBe(true)
})

it('stays the same for the messages that follow', () => {
  const address = ref('c-1')
  const conversation = useConversationId(address)
  expect(conversation.isOwn('c-1')).toBe(false)
  expect(conversation.forNextMessage()).toBe('c-1')
})
