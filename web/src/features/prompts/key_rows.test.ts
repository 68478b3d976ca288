import { describe, expect, it } from 'vitest'

import { parseSearch } from '@/ui/tokens'

import { environmentToOpen, facetsOf, KEY_FILTERS, queryOf, rampOf, versionLook, type KeyEnvironment, type PromptKey } from './key_rows'

function environment(env: string, fields: Partial<KeyEnvironment> = {}): KeyEnvironment {
  return { id: env, env, state: 'published', version: 'v2', draft_version: 'v2', updated_at: '', updated_by: '', variants: null, ...fields }
}

function row(...environments: KeyEnvironment[]): PromptKey {
  return { key: 'a.b', workspace_id: 'default', name: '', category: '', tags: '', model: '', state: 'published', updated_at: '', updated_by: '', environments }
}

describe('a search', () => {
  it('becomes the parameters of the list', () => {
    const search = parseSearch('env:prod state:ramping client:mailer two words tag:"a b" env:dev', KEY_FILTERS)
    expect(queryOf(search, 'test')).toEqual({ q: 'two words', env: 'prod', state: 'ramping', client: 'mailer', tag: 'a b' })
  })

  it('looks at the environment of the page where it names none', () => {
    expect(queryOf(parseSearch('refund', KEY_FILTERS), 'test')).toEqual({ q: 'refund', env: 'test' })
    expect(queryOf(parseSearch('', KEY_FILTERS), '')).toEqual({})
  })
})

describe('facets', () => {
  const none = { state: [], env: [], client: [], tag: [], category: [], model: [], author: [] }
  const label = (name: string, value?: string) => (value ? `${name} ${value}` : name)

  it('have the counts of the platform, and leave out what nothing has', () => {
    const counts = { ...none, state: [{ value: 'draft', count: 4 }], tag: [{ value: 'mail', count: 2 }] }
    expect(facetsOf(counts, parseSearch('', KEY_FILTERS), [], label)).toEqual([
      { name: 'state', label: 'state', values: [{ value: 'draft', count: 4, label: 'state draft' }] },
      { name: 'tag', label: 'tag', values: [{ value: 'mail', count: 2 }] },
    ])
  })

  it('keep a chosen value that leaves nothing, so that it can be taken back', () => {
    expect(facetsOf(none, parseSearch('model:gpt-5', KEY_FILTERS), [], label)).toEqual([{ name: 'model', label: 'model', values: [{ value: 'gpt-5', count: 0 }] }])
  })

  it('list environments in the order of the workspace', () => {
    const counts = { ...none, env: [{ value: 'prod', count: 9 }, { value: 'dev', count: 5 }, { value: 'gone', count: 1 }] }
    const facets = facetsOf(counts, parseSearch('', KEY_FILTERS), ['dev', 'prod'], label)
    expect(facets[0]?.values.map((one) => one.value)).toEqual(['dev', 'prod', 'gone'])
  })
})

describe('versions by environment', () => {
  const line = row(environment('dev', { version: 'v3', state: 'draft' }), environment('test'), environment('prod'), environment('eu', { version: null, state: 'never' }))

  it('are quiet where they equal the last one, and speak where they differ', () => {
    expect(versionLook(line, 'dev', 'prod')).toEqual({ look: 'different', version: 'v3', isAhead: true })
    expect(versionLook(line, 'test', 'prod')).toEqual({ look: 'same', version: 'v2', isAhead: false })
    expect(versionLook(line, 'prod', 'prod')).toEqual({ look: 'different', version: 'v2', isAhead: false })
  })

  it('tell a draft from an environment that does not have the key', () => {
    expect(versionLook(line, 'eu', 'prod').look).toBe('draft')
    expect(versionLook(line, 'us', 'prod').look).toBe('none')
  })
})

describe('a rollout', () => {
  it('is shown by its shares and the version it leads to', () => {
    const variants = [{ name: 'A', version: 'v2', weight: 8750 }, { name: 'B', version: 'v3', weight: 1250 }]
    expect(rampOf(row(environment('dev'), environment('prod', { state: 'ramping', variants })))).toEqual({ shares: [8750, 1250], version: 'v3', percent: '12.5', count: 2 })
    expect(rampOf(row(environment('dev')))).toBeNull()
  })
})

describe('a row', () => {
  const line = { ...row(environment('dev'), environment('prod', { state: 'draft' })), state: 'draft' as const }

  it('leads to the environment that is looked at, else to the one its state is of', () => {
    expect(environmentToOpen(line, 'dev')).toBe('dev')
    expect(environmentToOpen(line, undefined)).toBe('prod')
    expect(environmentToOpen(line, 'nowhere')).toBe('prod')
  })
})
