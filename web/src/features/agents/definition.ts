import type { PromptReference } from '@/app/prompt_queries'

import type { Agent, Tool } from './queries'

/** What an editor changes of an agent. */
export interface AgentFields {
  name: string
  description: string
  prompt: string
  prompt_ref: PromptReference | null
  provider: string
  model: string
  fallbacks: { provider: string; model: string }[]
  parameters: Record<string, unknown>
  tools: Tool[]
  max_steps: number
  output_schema: Record<string, unknown> | null
  window_messages: number
  window_tokens: number
  pool: string
  tags: string
}

export type FieldName = keyof AgentFields

const NAMES: readonly FieldName[] = ['name', 'description', 'prompt', 'prompt_ref', 'provider', 'model', 'fallbacks', 'parameters', 'tools', 'max_steps', 'output_schema', 'window_messages', 'window_tokens', 'pool', 'tags']

export function fieldsOf(agent: Agent): AgentFields {
  return plain(Object.fromEntries(NAMES.map((name) => [name, agent[name]]))) as unknown as AgentFields
}

/** The fields that differ. */
export function changedNames(before: AgentFields, after: AgentFields): FieldName[] {
  return NAMES.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
}

/** The body of an edit: what differs, in the way in which the API takes things away. */
export function editOf(before: AgentFields, after: AgentFields): Record<string, unknown> {
  const names = changedNames(before, after)
  const edit: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, plain(after[name])]))
  if (names.includes('output_schema') && after.output_schema === null) edit.output_schema = {}
  // A text and a reference replace each other: the one that is meant is sent alone.
  if (after.prompt_ref) delete edit.prompt
  else {
    delete edit.prompt_ref
    if (before.prompt_ref) edit.prompt = after.prompt
  }
  return edit
}

export interface Merge {
  fields: AgentFields
  /** Changed by both, to different values. */
  overlaps: FieldName[]
}

/** Both edits on top of their common base; where they overlap, `mine` stands until somebody chooses. */
export function mergeEdits(base: AgentFields, mine: AgentFields, theirs: AgentFields): Merge {
  const own = changedNames(base, mine)
  const others = changedNames(base, theirs)
  const fields = plain(theirs)
  for (const name of own) Object.assign(fields, { [name]: plain(mine[name]) })
  return { fields, overlaps: own.filter((name) => others.includes(name) && JSON.stringify(mine[name]) !== JSON.stringify(theirs[name])) }
}

/** A list with one item at another place; the same list where there is no such place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list]
  if (to >= 0 && to < list.length) next.splice(to, 0, ...next.splice(from, 1))
  return next
}

export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
