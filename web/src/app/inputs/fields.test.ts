import { describe, expect, it } from 'vitest'

import { fieldNamed, inputFields, readInputs } from './fields'

const schema = {
  type: 'object',
  required: ['ticket', 'urgency'],
  properties: {
    ticket: { type: 'string', description: 'Its text' },
    urgency: { enum: ['low', 'high'] },
    count: { type: 'integer', minimum: 1, maximum: 5, default: 2 },
    is_public: { type: 'boolean' },
    tags: { type: 'array' },
  },
}
const fields = inputFields(schema, { urgency: 'low' }, ['ticket', 'customer'])

describe('the fields of a run', () => {
  it('come from the schema, in its order, then from the templates', () => {
    expect(fields.map(({ name, type, isRequired, fallback }) => [name, type, isRequired, fallback])).toEqual([
      ['ticket', 'text', true, ''], ['urgency', 'text', true, 'low'], ['count', 'integer', false, '2'], ['is_public', 'boolean', false, ''], ['tags', 'json', false, ''], ['customer', 'text', false, ''],
    ])
    expect(fields[0]?.hint).toBe('Its text')
    expect(fields[1]?.options).toEqual(['low', 'high'])
    expect(inputFields(undefined, null, ['a'])).toMatchObject([{ name: 'a', type: 'text', isRequired: false }])
    expect(inputFields({ properties: 'wrong', required: 5 }, 'wrong', [])).toEqual([])
  })

  it('are sent as what they are, and left out where nothing is entered', () => {
    expect(readInputs(fields, { ticket: 'x', count: '3', is_public: 'true', tags: '["a"]', other: 'y' })).toEqual({ variables: { ticket: 'x', count: 3, is_public: true, tags: ['a'] }, errors: {} })
  })

  it('are wrong at their field', () => {
    expect(readInputs(fields, { count: '2.5', tags: '[' }).errors).toEqual({ ticket: 'required', count: 'integer', tags: 'json' })
    expect(readInputs(fields, { ticket: 'x', count: '9' }).errors).toEqual({ count: 'maximum' })
    expect(readInputs(fields, { ticket: 'x', count: '0' }).errors).toEqual({ count: 'minimum' })
    expect(readInputs(fields, { ticket: 'x', count: 'two' }).errors).toEqual({ count: 'number' })
  })

  it('are named by what the platform says', () => {
    expect(fieldNamed("variables: 'ticket' must be a text", fields)).toBe('ticket')
    expect(fieldNamed('variables: tickets is unknown', fields)).toBeUndefined()
    expect(fieldNamed('step 1: ticket', fields)).toBeUndefined()
  })
})
