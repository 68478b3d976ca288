export type Parameters = Record<string, unknown>

/** The parameters that have the same name with every provider. */
export const PARAMETERS = [
  { name: 'temperature', inputMode: 'decimal' },
  { name: 'max_tokens', inputMode: 'numeric' },
  { name: 'top_p', inputMode: 'decimal' },
  { name: 'seed', inputMode: 'numeric' },
  { name: 'stop', inputMode: 'text' },
] as const

const NAMES: readonly string[] = PARAMETERS.map(({ name }) => name)

/** What was typed as a value; an empty field means that the parameter is not sent. */
export function readParameter(name: string, typed: string): { isValid: boolean; value?: unknown } {
  const text = typed.trim()
  if (!text) return { isValid: true }
  if (name === 'stop') {
    const texts = text.split(',').map((one) => one.trim()).filter(Boolean)
    return { isValid: true, value: texts.length === 1 ? texts[0] : texts }
  }
  const value = Number(text)
  const isWhole = Number.isInteger(value)
  const isValid = { temperature: value >= 0, top_p: value >= 0 && value <= 1, max_tokens: isWhole && value > 0, seed: isWhole }[name] ?? false
  return isValid ? { isValid, value } : { isValid: false }
}

/** The vendor's own parameters as JSON, empty where there are none. */
export function otherParameters(parameters: Parameters): string {
  const others = Object.entries(parameters).filter(([name]) => !NAMES.includes(name))
  return others.length ? JSON.stringify(Object.fromEntries(others), null, 2) : ''
}

/** The parameters with these of the vendor's; null where the text is no JSON object. */
export function withOthers(parameters: Parameters, text: string): Parameters | null {
  const own = Object.fromEntries(Object.entries(parameters).filter(([name]) => NAMES.includes(name)))
  if (!text.trim()) return own
  try {
    const others: unknown = JSON.parse(text)
    return typeof others === 'object' && others !== null && !Array.isArray(others) ? { ...others, ...own } : null
  } catch {
    return null
  }
}
