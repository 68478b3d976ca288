import { describe, expect, it } from 'vitest'

import { isTextMessage, joinedTexts, kindOf, renderedMessage, shownMessage, variablesOfMessages, type Message } from './chat'

const call = { id: 'c', type: 'function' as const, function: { name: 'f', arguments: '{}' } }
const messages: Message[] = [
  { role: 'system', content: 'Be brief' },
  { type: 'placeholder', name: 'history' },
  { role: 'user', content: [{ type: 'text', text: 'Compare' }, { type: 'image_url', image_url: { url: '{{photo}}' } }] },
  { role: 'assistant', tool_calls: [call] },
  { role: 'assistant', content: 'It rains', tool_calls: [call] },
  { role: 'tool', tool_call_id: 'c', content: 'Rain' },
  { role: 'user', name: 'ada', content: 'And now?' },
]

describe('messages of a chat', () => {
  it('are edited where they are one text', () => {
    expect(messages.map(isTextMessage)).toEqual([true, false, false, false, false, false, true])
  })

  it('have names and texts', () => {
    expect(messages.map(kindOf)).toEqual(['system', 'placeholder', 'user', 'assistant', 'assistant', 'tool', 'user'])
    expect(joinedTexts(messages)).toBe('Be brief\n\nCompare\n\nIt rains\n\nRain\n\nAnd now?')
  })

  it('are rendered in texts and URLs', () => {
    const image = { role: 'user' as const, content: [{ type: 'image_url' as const, image_url: { url: 'https://img.example.org/7' } }, { type: 'file' as const, file: { file_data: '{{doc}}' } }] }
    const template: Message = { role: 'user', content: [{ type: 'image_url', image_url: { url: '{{photo}}' } }, { type: 'file', file: { file_data: '{{doc}}' } }] }
    expect(renderedMessage(template, { photo: 'https://img.example.org/7' })).toEqual(image)
    expect(messages.map((message) => renderedMessage(message, { history: 'x' }))).toEqual(messages)
  })

  it('have variables in texts and URLs, not across two of them', () => {
    expect(variablesOfMessages([...messages, { role: 'user', content: '{{a}} {{' }, { role: 'user', content: 'b}} {{a}}' }, { role: 'user', content: [{ type: 'file', file: { url: '{{ doc }}' } }, { type: 'text', text: '{{c}}' }, { type: 'file', file: { file_data: '{{d}}' } }] }])).toEqual(['photo', 'a', 'doc', 'c', 'd'])
  })

  it('are shown as JSON where they are more than a text', () => {
    expect(shownMessage(messages[0] as Message)).toBe('Be brief')
    expect(JSON.parse(shownMessage(messages[3] as Message))).toEqual(messages[3])
  })
})
