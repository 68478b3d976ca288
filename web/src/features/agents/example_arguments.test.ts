import { expect, it } from 'vitest'

import { exampleArguments } from './example_arguments'

it('makes arguments of what a schema requires and what it has examples of', () => {
  const schema = {
    type: 'object',
    properties: {
      city: { type: 'string', enum: ['Oslo', 'Bergen'] },
      days: { type: 'integer', minimum: 2 },
      units: { type: 'string', default: 'metric' },
      note: { type: 'string' },
      where: { type: 'object', properties: { lat: { type: 'number' }, lon: { examples: [10.7] } }, required: ['lat', 'lon'] },
      tags: { type: 'array', minItems: 1, items: { type: 'string' } },
    },
    required: ['city', 'days', 'where', 'tags'],
  }
  expect(exampleArguments(schema)).toEqual({ city: 'Oslo', days: 2, units: 'metric', where: { lat: 1, lon: 10.7 }, tags: [''] })
})

it.each([[{}], [{ type: 'object' }], [{ type: 'object', properties: { self: { $ref: '#' } }, required: ['self'] }]])('copes with %j', (schema) => {
  expect(() => exampleArguments(schema)).not.toThrow()
})
