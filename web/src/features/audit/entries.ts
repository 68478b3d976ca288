import type { Schemas } from '@/api/client'
import { moment } from '@/app/run_links'
import { parseSearch } from '@/ui/tokens'

export type Entry = Schemas['AuditEntry']
export const FILTERS = ['actor', 'action', 'resource', 'key', 'resource_id', 'request_id', 'since', 'until'] as const
export const TIMES = ['any', '24h', '7d', '30d'] as const
export type Time = (typeof TIMES)[number]

const HOUR = 3_600_000
const HOURS: Record<Time, number> = { any: 0, '24h': 24, '7d': 168, '30d': 720 }

/** Offered while typing. */
export const SUGGESTIONS = {
  action: ['create', 'update', 'delete', 'publish', 'rollback', 'promote', 'rollout', 'propose', 'approve', 'reject', 'apply', 'bypass'],
  resource: ['prompt', 'rollout', 'agent', 'workflow', 'provider', 'api_key', 'user', 'member', 'workspace', 'conversation', 'change_request'],
} as const

/** What the API is asked for. A time begins with an hour, so that the question stays the same for a while. */
export function questionOf(search: string, time: Time, workspace: string | undefined, now: number): Record<string, string> {
  const { filters, text } = parseSearch(search, FILTERS)
  const question: Record<string, string> = {}
  if (workspace) question.workspace = workspace
  if (HOURS[time]) question.since = moment(Math.floor(now / HOUR) * HOUR - HOURS[time] * HOUR)
  for (const { name, value } of filters) question[name] = value
  if (text) question.key = text
  return question
}

/** The state before and after as texts to compare, one field a line; a text of several lines stands as it is. */
export function linesOf(state: Record<string, unknown> | null): string {
  return Object.entries(state ?? {}).map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}`).join('\n')
}
