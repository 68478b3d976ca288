import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { fieldsOfDefinition, textsOfInputs } from './inputs'

describe('the inputs of what is run', () => {
  it('are those of the schema and of the steps', () => {
    const workflow = { steps: [{ name: 'greet', type: 'render', template: '{{who}} {{days}}' }], input_schema: { properties: { days: { type: 'integer' } } }, defaults: { days: 1 } }
    expect(fieldsOfDefinition(workflow as unknown as Schemas['Workflow']).map(({ name, type, fallback }) => [name, type, fallback])).toEqual([['days', 'integer', '1'], ['who', 'text', '']])
  })

  it('are the variables of an agent whose prompt is its own', () => {
    expect(fieldsOfDefinition({ prompt: 'Help {{customer}}.', prompt_ref: null } as Schemas['Agent']).map(({ name }) => name)).toEqual(['customer'])
    expect(fieldsOfDefinition({ prompt: '', prompt_ref: { key: 'support' } } as unknown as Schemas['Agent'])).toEqual([])
  })

  it('are shown as texts', () => {
    expect(textsOfInputs({ who: 'Ada', days: 2, tags: ['a'] })).toEqual({ who: 'Ada', days: '2', tags: '["a"]' })
    expect(textsOfInputs(null)).toEqual({})
  })
})
