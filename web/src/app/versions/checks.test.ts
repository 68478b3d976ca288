import { describe, expect, it } from 'vitest'

import { publishChecks } from './checks'

const t = (key: string) => key.replace('versions.check.', '')
const base = { env: 'prod', isProtected: false, note: '', version: 'v2', isSame: false, problems: [], usage: { workflows: [], callers: [] } }
const shown = (changes: Partial<Parameters<typeof publishChecks>[0]>) => publishChecks({ ...base, ...changes }, t).map(({ name, isFine }) => `${isFine ? '' : '!'}${name}`)

describe('the checks of a publish', () => {
  it('are fine for a change of an open environment', () => {
    expect(shown({})).toEqual(['open', 'unused'])
  })

  it('warn first: of problems, of no change, and of a protected environment without a note', () => {
    expect(shown({ isProtected: true, isSame: true, problems: ['a'] })).toEqual(['!problems', '!same', '!protected', 'unused'])
    expect(shown({ isProtected: true, note: 'why' })).toEqual(['protected', 'unused'])
  })

  it('name the workflows that run it, once they are known', () => {
    const workflows = [{ id: '1', key: 'triage', name: '', steps: [1], version: null }]
    expect(shown({ usage: { workflows, callers: [] } })).toEqual(['open', 'usedBy'])
    expect(shown({ usage: undefined })).toEqual(['open'])
  })
})
