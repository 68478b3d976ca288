import type { Schemas } from '@/api/client'

export type Holder = Schemas['CachingClient']
type Publication = Schemas['Publication']
type Client = Schemas['LiveClient']

/** A program on the way of a publish. */
export interface Program {
  id: string
  name: string
  sdk: string
  address: string
  reportedAt: string | null
  revision: number | null
  state: 'applied' | 'behind' | 'silent' | 'gone'
  /** How long the publish took to arrive there, by the platform's clock. */
  ms: number | null
}

export interface ProgramGroup {
  name: string
  sdk: string
  total: number
  arrived: number
  /** When the last one of them had it. */
  last: number | null
}

/** The end of the scale on which arrivals are drawn; later ones stand at its end. */
export const SCALE_MS = 1_000
export const COLUMNS = 48

/** The programs that hold a prompt, as the answer to its publish names them. */
export function programsOf(publication: Publication): Program[] {
  const published = publication.published_at ?? publication.data.created_at
  return [
    ...(publication.applied ?? []).map((holder) => programOf(holder, 'applied', elapsed(published, holder.reported_at))),
    ...(publication.behind ?? []).map((holder) => programOf(holder, 'behind', null)),
    ...(publication.silent ?? []).map((holder) => programOf(holder, 'silent', null)),
  ]
}

/** The same programs by what they report now; one that is no longer connected gets the prompt when it comes back. */
export function advanced(programs: readonly Program[], clients: readonly Client[], published: string): Program[] {
  return programs.map((program) => {
    if (program.state !== 'behind') return program
    const client = clients.find((one) => one.id === program.id)
    if (!client) return { ...program, state: 'gone' }
    const now = { ...program, reportedAt: client.reported_at, revision: client.revision }
    return client.lag_revisions === 0 && client.revision !== null ? { ...now, state: 'applied', ms: elapsed(published, client.reported_at) } : now
  })
}

export function inState(programs: readonly Program[], state: Program['state']): Program[] {
  return programs.filter((program) => program.state === state)
}

/** Milliseconds of all that have it, in order. */
export function arrivalsOf(programs: readonly Program[]): number[] {
  return programs.flatMap((program) => (program.state === 'applied' && program.ms !== null ? [program.ms] : [])).sort((a, b) => a - b)
}

/** How many programs arrived in each column of the scale. */
export function squaresOf(times: readonly number[]): number[] {
  const columns = new Array<number>(COLUMNS).fill(0)
  for (const ms of times) {
    const column = Math.min(Math.floor((ms / SCALE_MS) * COLUMNS), COLUMNS - 1)
    columns[column] = (columns[column] as number) + 1
  }
  return columns
}

/** Programs of one name and SDK together, the largest group first. */
export function groupsOf(programs: readonly Program[]): ProgramGroup[] {
  const groups = new Map<string, ProgramGroup>()
  for (const program of programs) {
    const group = groups.get(`${program.name}\n${program.sdk}`) ?? { name: program.name, sdk: program.sdk, total: 0, arrived: 0, last: null }
    group.total += 1
    if (program.state === 'applied') {
      group.arrived += 1
      if (program.ms !== null) group.last = Math.max(group.last ?? 0, program.ms)
    }
    groups.set(`${program.name}\n${program.sdk}`, group)
  }
  return [...groups.values()].sort((a, b) => b.total - a.total)
}

function programOf(holder: Holder, state: Program['state'], ms: number | null): Program {
  return { id: holder.id, name: holder.app || holder.client_type || holder.remote_addr, sdk: `${holder.client_type} ${holder.version}`.trim(), address: holder.remote_addr, reportedAt: holder.reported_at, revision: holder.revision, state, ms }
}

function elapsed(from: string, to: string | null): number | null {
  return to === null ? null : Math.max(0, new Date(to).getTime() - new Date(from).getTime())
}
