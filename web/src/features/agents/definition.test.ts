import { describe, expect, it } from 'vitest'

import { editOf, fieldsOf, mergeEdits, moved, type AgentFields } from './definition'
import type { Agent } from './queries'

const agent = {
  id: 'a1', key: 'helper', version: 3, name: 'Helper', description: '', tags: '', prompt: 'Hi {{who}}', prompt_ref: null, provider: 'mock', model: '', fallbacks: [], parameters: {}, tools: [], max_steps: 8,
  output_schema: { type: 'object' }, window_messages: 40, window_tokens: 8000, created_at: '', updated_at: '', workspace_id: 'default',
} as unknown as Agent
const base = fieldsOf(agent)
const edited = (changes: Partial<AgentFields>): AgentFields => ({ ...fieldsOf(agent), ...changes })
const reference = { key: 'support', env: 'prod', version: null }

describe('an edit', () => {
  it('has what differs only', () => {
    expect(editOf(base, edited({ model: 'mock-echo', max_steps: 8 }))).toEqual({ model: 'mock-echo' })
  })

  it('takes an output schema away with an empty one', () => {
    expect(editOf(base, edited({ output_schema: null }))).toEqual({ output_schema: {} })
  })

  it('sends a reference without the text that it replaces, and a text without the reference', () => {
    expect(editOf(base, edited({ prompt_ref: reference, prompt: '' }))).toEqual({ prompt_ref: reference })
    const referring = edited({ prompt_ref: reference, prompt: '' })
    expect(editOf(referring, edited({ prompt: 'Again' }))).toMatchObject({ prompt: 'Again' })
    expect(editOf(referring, edited({ prompt: 'Again' }))).not.toHaveProperty('prompt_ref')
  })
})

describe('two edits of one agent', () => {
  it('are both kept where they change different fields', () => {
    const { fields, overlaps } = mergeEdits(base, edited({ model: 'mine' }), edited({ max_steps: 4 }))
    expect(fields).toMatchObject({ model: 'mine', max_steps: 4 })
    expect(overlaps).toEqual([])
  })

  it('overlap where they change one field to different values', () => {
    const { fields, overlaps } = mergeEdits(base, edited({ prompt: 'Mine', model: 'same' }), edited({ prompt: 'Theirs', model: 'same' }))
    expect(overlaps).toEqual(['prompt'])
    expect(fields.prompt).toBe('Mine')
  })
})

it('moves an item of a list, and nothing out of it', () => {
  expect(moved(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b'])
  expect(moved(['a', 'b'], 0, 2)).toEqual(['a', 'b'])
})
