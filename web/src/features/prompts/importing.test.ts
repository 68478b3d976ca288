import { describe, expect, it } from 'vitest'

import { keyOfFile, readImport } from './importing'

const messages = [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: '{{question}}' }]

describe('an import', () => {
  it('is a chat where it holds messages', () => {
    expect(readImport(JSON.stringify(messages))).toEqual({ kind: 'chat', messages })
    expect(readImport(`\uFEFF ${JSON.stringify({ model: 'm', messages })}`)).toEqual({ kind: 'chat', messages })
    const tools = [{ role: 'tool', tool_call_id: 'a', content: '1' }, { type: 'placeholder', name: 'history' }]
    expect(readImport(JSON.stringify(tools))).toEqual({ kind: 'chat', messages: tools })
  })

  it.each(['Hello {{who}}!', '{{name}}, hello', '{"a": 1}', '[]', '[1, 2]', '[not json', '{"messages": "no"}'])('is a text otherwise: %s', (content) => {
    expect(readImport(content)).toEqual({ kind: 'text', content })
  })

  it('suggests a key by the file name', () => {
    expect(keyOfFile('Support reply (v2).txt')).toBe('Support.reply.v2')
    expect(keyOfFile('mail.digest.json')).toBe('mail.digest')
  })
})
