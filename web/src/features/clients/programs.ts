import type { Schemas } from '@/api/client'
import type { Facet } from '@/ui/Facets.vue'
import { parseSearch } from '@/ui/tokens'

export type Client = Schemas['LiveClient']
export const STATES = ['behind', 'current', 'silent', 'unknown'] as const
export type State = (typeof STATES)[number]
export const FILTERS = ['state', 'env', 'app', 'type', 'version'] as const

/** Older clients report nothing, and of one that has just connected nothing is known yet. */
export function stateOf(client: Client): State {
  if (client.silent) return 'silent'
  if (client.lag_revisions) return 'behind'
  return client.revision === null ? 'unknown' : 'current'
}

const VALUES: Record<(typeof FILTERS)[number], (client: Client) => string> = {
  state: stateOf,
  env: (client) => client.namespace,
  app: (client) => client.app,
  type: (client) => client.client_type,
  version: (client) => client.version,
}

/** The programs among all connections: consoles watch as well. */
export function programsOf(clients: readonly Client[], environment: string): Client[] {
  return clients.filter((client) => client.client_type !== 'console' && (!environment || !client.namespace || client.namespace === environment))
}

function matches(client: Client, search: string, without?: string): boolean {
  const { filters, text } = parseSearch(search, FILTERS)
  return (
    filters.every(({ name, value }) => name === without || VALUES[name as (typeof FILTERS)[number]](client) === value) &&
    `${client.app} ${client.client_type} ${client.version} ${client.remote_addr} ${client.user_agent}`.toLowerCase().includes(text.toLowerCase())
  )
}

type Order = (a: Client, b: Client) => number
const URGENCY: Record<State, number> = { behind: 0, unknown: 1, silent: 2, current: 3 }
const ORDERS: Record<string, Order> = {
  state: (a, b) => URGENCY[stateOf(a)] - URGENCY[stateOf(b)] || (b.lag_seconds ?? 0) - (a.lag_seconds ?? 0) || a.app.localeCompare(b.app),
  app: (a, b) => a.app.localeCompare(b.app),
  sdk: (a, b) => `${a.client_type} ${a.version}`.localeCompare(`${b.client_type} ${b.version}`, undefined, { numeric: true }),
  env: (a, b) => a.namespace.localeCompare(b.namespace),
  revision: (a, b) => (a.revision ?? -1) - (b.revision ?? -1),
  lag: (a, b) => (a.lag_seconds ?? -1) - (b.lag_seconds ?? -1),
  keys: (a, b) => (a.keys ?? -1) - (b.keys ?? -1),
  since: (a, b) => b.connected_at.localeCompare(a.connected_at),
}
export const USUAL_SORT = 'state'

/** What a search leaves, in the order of `sort`; those behind come first where nothing else is chosen. */
export function matching(programs: readonly Client[], search: string, sort: string): Client[] {
  const order = ORDERS[sort.replace('-', '')] ?? (ORDERS[USUAL_SORT] as Order)
  const sign = sort.startsWith('-') ? -1 : 1
  return programs.filter((client) => matches(client, search)).sort((a, b) => sign * order(a, b) || a.id.localeCompare(b.id))
}

/** Counts by each filter, each under the others. */
export function facetsOf(programs: readonly Client[], search: string, labels: { title: (name: string) => string; state: (state: State) => string }): Facet[] {
  return (['state', 'env', 'app', 'type'] as const).map((name) => {
    const counts = new Map<string, number>()
    for (const client of programs) {
      const value = VALUES[name](client)
      if (value && matches(client, search, name)) counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    const values = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([value, count]) => ({ value, count, label: name === 'state' ? labels.state(value as State) : undefined }))
    return { name, label: labels.title(name), values }
  })
}

/** What is seen of a program that may change while it is connected. */
export function signature(client: Client): string {
  return `${stateOf(client)} ${client.revision} ${client.keys}`
}
