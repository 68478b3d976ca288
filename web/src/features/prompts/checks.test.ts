import { describe, expect, it } from 'vitest'

import { checksOf } from './checks'
import { byName, reachOf, type ProgramUse, type PromptUsage } from './usage'

function program(app: string, fields: Partial<ProgramUse> = {}): ProgramUse {
  return { app, client_type: 'python', version: '0.4.0', connected: 1, current: 1, silent: 0, revision: 7, ...fields }
}

const publish = { before: 'Hello {{who}}', after: 'Hi {{who}}', served: 'v1', label: 'v2', env: 'prod', isProtected: false, note: '', hasRollout: false, usage: undefined }
const names = (more: Partial<Parameters<typeof checksOf>[0]>) => checksOf({ ...publish, ...more }).map((one) => `${one.isFine ? '+' : '-'}${one.name}`)

describe('the checks of a publish', () => {
  it('are fine where nothing stands in the way', () => {
    expect(names({})).toEqual(['+variables', '+noRollout'])
    expect(names({ before: null })).toEqual(['+noRollout'])
  })

  it('name new variables and how many programs would show them as written', () => {
    const usage: PromptUsage = { agents: [], workflows: [], programs: [program('mailer', { connected: 3 }), program('of-old', { connected: 0, silent: 2 })] }
    const [first] = checksOf({ ...publish, after: 'Hi {{who}}, {{tier}} {{where}}', usage })
    expect(first).toEqual({ name: 'newVariables', isFine: false, count: 2, values: { names: 'tier, where', programs: 5 } })
  })

  it('warn of a publish that changes nothing, of a rollout and of a protected environment without a note', () => {
    expect(names({ after: publish.before, hasRollout: true, isProtected: true })).toEqual(['-same', '-protected', '-rollout', '+variables'])
    expect(names({ isProtected: true, note: 'shorter' })).toEqual(['+variables', '+protectedWithNote', '+noRollout'])
  })

  it('name the agents and workflows that follow, and those that stay on a version', () => {
    const usage: PromptUsage = {
      agents: [{ id: '1', key: 'support', name: '', version: null }, { id: '2', key: 'archive', name: '', version: 'v1' }],
      workflows: [{ id: '3', key: 'triage', name: '', steps: [2] }],
      programs: [],
    }
    const checks = checksOf({ ...publish, usage })
    expect(checks.find((one) => one.name === 'usedBy')).toMatchObject({ isFine: true, count: 2, values: { agents: 1, workflows: 1, names: 'support, triage' } })
    expect(checks.find((one) => one.name === 'pinned')?.values).toEqual({ names: 'archive (v1)', count: 1 })
  })
})

describe('programs', () => {
  const programs = [program('mailer', { connected: 4, current: 3 }), program('mailer', { version: '0.3.0', connected: 2, current: 2 }), program('', { client_type: 'java', version: '', connected: 9, current: 9 }), program('of-old', { connected: 0, current: 0, silent: 1 })]

  it('are counted, silent ones apart', () => {
    expect(reachOf(programs)).toEqual({ connected: 15, current: 14, silent: 1, all: 16 })
  })

  it('are grouped by name, largest first', () => {
    expect(byName(programs)).toEqual([
      { name: 'java', kinds: 'java', count: 9 },
      { name: 'mailer', kinds: 'python 0.4.0, python 0.3.0', count: 6 },
      { name: 'of-old', kinds: 'python 0.4.0', count: 1 },
    ])
  })
})
