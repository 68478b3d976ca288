import type { Schemas } from '@/api/client'

type Stored = Schemas['CompatibilitySwitches']

/** What a server may be set to take, and the values of each; a length is typed. */
export const SWITCHES = {
  stream_options: ['true', 'false'],
  limit_parameter: ['max_tokens', 'max_completion_tokens'],
  developer_role: ['true', 'false'],
  structured_output: ['json_schema', 'json_object', 'instruction'],
  returns_reasoning: ['true', 'false'],
} as const
export const ID_LENGTH = 'tool_call_id_length'

/** The switches as a form has them: empty where the gateway decides. */
export type Switches = Record<keyof typeof SWITCHES, string> & { [ID_LENGTH]: string | number }

export function switchesOf(stored: Stored = {}): Switches {
  const text = (value: unknown) => (value === null || value === undefined ? '' : String(value))
  const choices = Object.keys(SWITCHES).map((name) => [name, text(stored[name as keyof Stored])])
  return { ...Object.fromEntries(choices), [ID_LENGTH]: stored[ID_LENGTH] ?? '' } as Switches
}

/** What is sent: null where none is set, which removes all that are stored. */
export function bodyOfSwitches(switches: Switches): Stored | null {
  const entries = Object.entries(switches).filter(([, value]) => value !== '')
  return entries.length ? (Object.fromEntries(entries.map(([name, value]) => [name, read(name, value)])) as Stored) : null
}

function read(name: string, value: string | number): string | number | boolean {
  if (name === ID_LENGTH) return Number(value)
  return value === 'true' || value === 'false' ? value === 'true' : value
}
