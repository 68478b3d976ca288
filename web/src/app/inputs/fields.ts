export type InputType = 'text' | 'number' | 'integer' | 'boolean' | 'json'

/** A field of the run form. */
export interface InputField {
  name: string
  type: InputType
  isRequired: boolean
  /** The only values, where the schema lists them. */
  options: string[]
  hint: string
  /** What is used where nothing is entered, as text; empty where there is nothing. */
  fallback: string
  minimum?: number
  maximum?: number
}

export type InputError = 'required' | 'number' | 'integer' | 'minimum' | 'maximum' | 'json'

/** The fields that the input schema describes, then the other variables of the templates. */
export function inputFields(schema: unknown, defaults: unknown, variables: readonly string[]): InputField[] {
  const properties = objectOf(objectOf(schema)?.properties) ?? {}
  const listed: unknown = objectOf(schema)?.required
  const required = Array.isArray(listed) ? listed : []
  const standards = objectOf(defaults) ?? {}
  const names = [...new Set([...Object.keys(properties), ...variables])]
  return names.map((name) => fieldOf(name, objectOf(properties[name]) ?? {}, required.includes(name), standards[name]))
}

function fieldOf(name: string, property: Record<string, unknown>, isRequired: boolean, standard: unknown): InputField {
  const options = Array.isArray(property.enum) ? property.enum.map(textOfValue) : []
  const hint = [property.title, property.description].filter((text): text is string => typeof text === 'string').join(': ')
  return { name, type: typeOf(property), isRequired, options, hint, fallback: textOfValue(standard ?? property.default), ...limits(property) }
}

function typeOf({ type }: Record<string, unknown>): InputType {
  if (type === 'number' || type === 'integer' || type === 'boolean') return type
  return type === 'object' || type === 'array' ? 'json' : 'text'
}

function limits({ minimum, maximum }: Record<string, unknown>): Pick<InputField, 'minimum' | 'maximum'> {
  return { ...(typeof minimum === 'number' ? { minimum } : {}), ...(typeof maximum === 'number' ? { maximum } : {}) }
}

function textOfValue(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** What is sent, and what is wrong at which field. A field without an entry is left out: its default applies. */
export function readInputs(fields: readonly InputField[], values: Readonly<Record<string, string>>): { variables: Record<string, unknown>; errors: Record<string, InputError> } {
  const variables: Record<string, unknown> = {}
  const errors: Record<string, InputError> = {}
  for (const field of fields) {
    const typed = values[field.name] ?? ''
    if (typed === '') {
      if (field.isRequired && !field.fallback) errors[field.name] = 'required'
      continue
    }
    const { value, error } = readValue(field, typed)
    if (error) errors[field.name] = error
    else variables[field.name] = value
  }
  return { variables, errors }
}

function readValue(field: InputField, typed: string): { value?: unknown; error?: InputError } {
  if (field.type === 'text') return { value: typed }
  if (field.type === 'boolean') return { value: typed === 'true' }
  if (field.type === 'json') return readJson(typed)
  const value = Number(typed)
  if (!typed.trim() || Number.isNaN(value)) return { error: 'number' }
  if (field.type === 'integer' && !Number.isInteger(value)) return { error: 'integer' }
  if (field.minimum !== undefined && value < field.minimum) return { error: 'minimum' }
  return field.maximum !== undefined && value > field.maximum ? { error: 'maximum' } : { value }
}

function readJson(typed: string): { value?: unknown; error?: InputError } {
  try {
    return { value: JSON.parse(typed) as unknown }
  } catch {
    return { error: 'json' }
  }
}

/** The field that the platform's sentence about the variables names; undefined where it names none of these. */
export function fieldNamed(sentence: string, fields: readonly InputField[]): string | undefined {
  if (!sentence.startsWith('variables')) return undefined
  const words = new Set(sentence.match(/[\p{L}\p{Nd}_]+/gu) ?? [])
  return fields.find(({ name }) => name !== 'variables' && words.has(name))?.name
}

function objectOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
}
