import { describe, expect, it } from 'vitest'

import { parametersOf, schemaOf, withParameters, withSchema } from './config'

const schema = { type: 'object', properties: { rain: { type: 'boolean' } } }
const wrapped = { temperature: 0.2, response_format: { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema } } }

describe('the output schema of a config', () => {
  it('is read in both forms', () => {
    expect(schemaOf(wrapped)).toEqual(schema)
    expect(schemaOf({ response_format: schema })).toEqual(schema)
    expect(schemaOf({ response_format: { type: 'json_object' } })).toBeNull()
    expect(schemaOf({ temperature: 1 })).toBeNull()
  })

  it('keeps the form that it has', () => {
    const other = { type: 'object' }
    expect(withSchema(wrapped, other)).toEqual({ temperature: 0.2, response_format: { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema: other } } })
    expect(withSchema({ seed: 1 }, other)).toEqual({ seed: 1, response_format: other })
    expect(withSchema(wrapped, null)).toEqual({ temperature: 0.2 })
    expect(withSchema({ response_format: { type: 'text' } }, null)).toEqual({ response_format: { type: 'text' } })
  })

  it('stands apart from the parameters', () => {
    expect(parametersOf(wrapped)).toEqual({ temperature: 0.2 })
    expect(withParameters(wrapped, { seed: 3 })).toEqual({ seed: 3, response_format: wrapped.response_format })
    expect(parametersOf({ response_format: { type: 'text' } })).toEqual({ response_format: { type: 'text' } })
  })
})
