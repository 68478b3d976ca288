/** An agent's definition as one text, for a difference: the prompt as it is written, the rest as JSON by line. */
export function definitionText(definition: object): string {
  const fields = definition as Record<string, unknown>
  const prompt = typeof fields.prompt === 'string' ? fields.prompt : ''
  const lines = FIELDS.filter((name) => !isEmpty(fields[name])).map((name) => `${name}: ${valueText(fields[name])}`)
  return [...lines, ...(prompt ? ['', prompt] : [])].join('\n').trimStart()
}

const FIELDS = ['prompt_ref', 'provider', 'model', 'fallbacks', 'parameters', 'tools', 'max_steps', 'output_schema', 'window_messages', 'window_tokens', 'pool']

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || JSON.stringify(value) === '[]' || JSON.stringify(value) === '{}'
}

function valueText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value)
}
