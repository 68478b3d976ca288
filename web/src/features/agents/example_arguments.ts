type Schema = Record<string, unknown>

const DEPTH = 4

/** Arguments that a call of a tool could have, as a start for a try: what is required, and what has an example. */
export function exampleArguments(schema: Schema): Record<string, unknown> {
  return exampleOf(schema, DEPTH) as Record<string, unknown>
}

function exampleOf(schema: Schema, depth: number): unknown {
  const examples = schema.examples
  if (Array.isArray(examples) && examples.length) return examples[0]
  if ('default' in schema) return schema.default
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum) && schema.enum.length) return schema.enum[0]
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'object':
      return depth ? objectOf(schema, depth) : {}
    case 'array':
      return depth && Number(schema.minItems) > 0 ? [exampleOf((schema.items ?? {}) as Schema, depth - 1)] : []
    case 'integer':
    case 'number':
      return Number(schema.minimum ?? 1)
    case 'boolean':
      return false
    case 'null':
      return null
    default:
      return ''
  }
}

function objectOf(schema: Schema, depth: number): Record<string, unknown> {
  const properties = (schema.properties ?? {}) as Record<string, Schema>
  const required = Array.isArray(schema.required) ? schema.required : []
  const names = Object.keys(properties).filter((name) => required.includes(name) || 'default' in (properties[name] as Schema))
  return Object.fromEntries(names.map((name) => [name, exampleOf(properties[name] as Schema, depth - 1)]))
}
