import { describe, expect, it } from 'vitest'

import { facetsOf, matching, programsOf, signature, stateOf, type Client } from './programs'

function client(id: string, fields: Partial<Client> = {}): Client {
  return { id, app: id, client_type: 'python', namespace: 'prod', version: '1.0', remote_addr: '127.0.0.1', user_agent: 'agent', connected_at: '2026-03-14T09:00:00Z', revision: 7, lag_revisions: 0, lag_seconds: 0, reported_at: null, keys: 2, replica: 'r', silent: false, ...fields }
}

const behind = client('mailer', { revision: 5, lag_revisions: 2, lag_seconds: 9 })
const further = client('shop', { revision: 1, lag_revisions: 6, lag_seconds: 90, namespace: 'dev' })
const current = client('api')
const old = client('legacy', { silent: true, revision: null, lag_revisions: null, client_type: 'java' })
const all = [current, old, behind, further]

describe('programs', () => {
  it('are behind only where they report that they are', () => {
    expect([current, behind, old, client('new', { revision: null, lag_revisions: null })].map(stateOf)).toEqual(['current', 'behind', 'silent', 'unknown'])
  })

  it('that are furthest behind come first', () => {
    expect(matching(all, '', 'state').map(({ id }) => id)).toEqual(['shop', 'mailer', 'legacy', 'api'])
    expect(matching(all, '', '-state').map(({ id }) => id)).toEqual(['api', 'legacy', 'mailer', 'shop'])
    expect(matching(all, '', 'nonsense').map(({ id }) => id)).toEqual(['shop', 'mailer', 'legacy', 'api'])
  })

  it('are found by tokens and by text', () => {
    expect(matching(all, 'state:behind env:prod', 'app').map(({ id }) => id)).toEqual(['mailer'])
    expect(matching(all, 'LEGA', 'app').map(({ id }) => id)).toEqual(['legacy'])
    expect(matching(all, 'type:java state:behind', 'app')).toEqual([])
  })

  it('are counted by each filter under the others', () => {
    const facets = facetsOf(all, 'env:prod state:behind', { title: (name) => name, state: (state) => `is ${state}` })
    expect(facets.find(({ name }) => name === 'env')?.values.map(({ value, count }) => [value, count])).toEqual([['dev', 1], ['prod', 1]])
    expect(facets.find(({ name }) => name === 'state')?.values.map(({ value, label, count }) => [value, label, count])).toEqual([['behind', 'is behind', 1], ['current', 'is current', 1], ['silent', 'is silent', 1]])
  })

  it('are those of an environment, or of all; a console is none', () => {
    const anywhere = client('anywhere', { namespace: '' })
    expect(programsOf([...all, anywhere, client('page', { client_type: 'console' })], 'dev').map(({ id }) => id)).toEqual(['shop', 'anywhere'])
  })

  it('change where state, revision or prompts do', () => {
    expect(signature(behind)).not.toBe(signature({ ...behind, revision: 6 }))
    expect(signature(behind)).toBe(signature({ ...behind, reported_at: '2026-03-14T09:00:01Z' }))
  })
})
