type Config = Record<string, unknown>

/** The JSON Schema of the answer in a prompt's config: `response_format` as OpenAI has it, or the schema itself. */
export function schemaOf(config: Config): Config | null {
  const format = config.response_format
  if (!isObject(format)) return null
  if (format.type === 'json_schema') return isObject(format.json_schema) && isObject(format.json_schema.schema) ? format.json_schema.schema : null
  return format.type === 'object' || format.type === 'array' ? format : null
}

/** The config with another schema, in the form that it had; null takes the schema away. */
export function withSchema(config: Config, schema: Config | null): Config {
  const { response_format: format, ...rest } = config
  if (!schema) return schemaOf(config) ? rest : config
  const isWrapped = isObject(format) && format.type === 'json_schema'
  const wrapped = isWrapped ? { ...format, json_schema: { ...(isObject(format.json_schema) ? format.json_schema : { name: 'answer' }), schema } } : schema
  return { ...rest, response_format: wrapped }
}

/** The config without its schema, which is edited apart. */
export function parametersOf(config: Config): Config {
  const { response_format: format, ...rest } = config
  return schemaOf(config) || format === undefined ? rest : config
}

/** The config with other parameters and the schema that it had. */
export function withParameters(config: Config, parameters: Config): Config {
  return schemaOf(config) ? { ...parameters, response_format: config.response_format } : parameters
}

function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
