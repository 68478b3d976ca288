import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { advanced, arrivalsOf, COLUMNS, groupsOf, inState, programsOf, squaresOf } from './arrival'

const PUBLISHED = '2026-03-14T09:26:53.000000Z'
const holder = (id: string, app: string, reported_at: string | null, revision: number | null = 7) => ({ id, app, client_type: 'python', version: '0.2.0', revision, replica: 'r', remote_addr: '10.0.0.1', reported_at })
const publication = {
  data: { created_at: '2026-01-01T00:00:00Z' },
  published_at: PUBLISHED,
  applied: [holder('1', 'mailer', '2026-03-14T09:26:53.180000Z'), holder('2', 'mailer', '2026-03-14T09:26:53.640000Z')],
  behind: [holder('3', 'checkout', '2026-03-14T09:26:40.000000Z', 6)],
  silent: [holder('4', '', null, null)],
} as unknown as Schemas['Publication']
const client = (id: string, lag_revisions: number, reported_at: string) => ({ id, lag_revisions, revision: 7, reported_at }) as unknown as Schemas['LiveClient']

describe('the arrival of a publish', () => {
  const programs = programsOf(publication)

  it('is timed by the report of each program', () => {
    expect(arrivalsOf(programs)).toEqual([180, 640])
    expect(squaresOf([0, 1, 999, 5000]).at(-1)).toBe(2)
    expect(squaresOf([180]).indexOf(1)).toBe(Math.floor(0.18 * COLUMNS))
  })

  it('is grouped by program, with the last of each', () => {
    expect(groupsOf(programs)).toEqual([
      { name: 'mailer', sdk: 'python 0.2.0', total: 2, arrived: 2, last: 640 },
      { name: 'checkout', sdk: 'python 0.2.0', total: 1, arrived: 0, last: null },
      { name: 'python', sdk: 'python 0.2.0', total: 1, arrived: 0, last: null },
    ])
  })

  it('goes on until those behind have it or have gone', () => {
    const waiting = advanced(programs, [client('3', 1, '2026-03-14T09:26:54.000000Z')], PUBLISHED)
    expect(inState(waiting, 'behind').map((program) => program.id)).toEqual(['3'])
    const arrived = advanced(waiting, [client('3', 0, '2026-03-14T09:26:55.500000Z')], PUBLISHED)
    expect(arrivalsOf(arrived)).toEqual([180, 640, 2500])
    expect(inState(advanced(programs, [], PUBLISHED), 'gone').map((program) => program.id)).toEqual(['3'])
  })
})
