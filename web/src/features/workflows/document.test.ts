import { describe, expect, it } from 'vitest'

import { documentFrom, keptIds, parseYaml, toYaml } from './document'

const DOCUMENT = {
  name: 'Triage',
  description: '',
  tags: 'mail,short',
  steps: [
    { name: 'ask', type: 'render', template: 'Hello {{who}},\n\nhow are you?\n' },
    { name: 'call', type: 'model', provider: 'mock', note: { kept: [1, true] } },
  ],
}

describe('a workflow as YAML', () => {
  it('comes back as it was, unknown fields included', () => {
    expect(parseYaml(toYaml(DOCUMENT)).document).toEqual(DOCUMENT)
  })

  it('keeps texts that YAML would read as something else', () => {
    const steps = [{ name: 'yes', type: 'render', template: '{{a}}' }, { name: '1', type: 'render', template: '# no comment\t' }, { name: '', type: 'render', template: ' - x:\n\n  y' }]
    expect(parseYaml(toYaml({ ...DOCUMENT, steps })).document?.steps).toEqual(steps)
  })

  it('knows the lines of each step', () => {
    const text = toYaml(DOCUMENT)
    const { lines } = parseYaml(text)
    const rows = text.split('\n')
    expect(lines).toHaveLength(2)
    expect(rows[(lines[0]?.from ?? 0) - 1]).toContain('name: ask')
    expect(rows[(lines[0]?.to ?? 0) - 1]).toContain('how are you?')
    expect(rows[(lines[1]?.from ?? 0) - 1]).toContain('name: call')
  })

  it('says where it is wrong', () => {
    expect(parseYaml('steps:\n  - name: a\n   type: b').error).toMatchObject({ kind: 'syntax', line: expect.any(Number) as number })
    expect(parseYaml('- a').error).toMatchObject({ kind: 'shape', message: 'document' })
    expect(parseYaml('steps: 5').error?.message).toBe('steps')
    expect(parseYaml('steps:\n  - text').error?.message).toBe('steps')
    expect(parseYaml('name: 5').error?.message).toBe('name')
    expect(parseYaml('stages: []').error?.message).toBe('stages')
  })

  it('may be empty', () => {
    expect(parseYaml('').document).toEqual({ name: '', description: '', tags: '', steps: [] })
    expect(parseYaml('steps:').document?.steps).toEqual([])
  })

  it('is not blown up by aliases', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', 'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]', 'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]', 'steps: [*c,*c,*c,*c]'].join('\n')
    expect(() => parseYaml(bomb)).not.toThrow()
    expect(parseYaml(bomb).error).toBeDefined()
  })
})

describe('the numbers of steps', () => {
  const steps = ['a', 'b', 'c'].map((name) => ({ name }))
  it('stay with the steps that did not change', () => {
    const next = () => 9
    expect(keptIds(steps, [1, 2, 3], [{ name: 'a' }, { name: 'x' }, { name: 'b' }, { name: 'c' }], next)).toEqual([1, 9, 2, 3])
    expect(keptIds(steps, [1, 2, 3], [{ name: 'a' }, { name: 'c' }], next)).toEqual([1, 3])
    expect(keptIds(steps, [1, 2, 3], [{ name: 'a' }, { name: 'changed' }, { name: 'c' }], next)).toEqual([1, 2, 3])
  })
})

describe('the settings of a workflow', () => {
  it('come back from YAML, and are left out where they are not set', () => {
    const document = { ...DOCUMENT, input_schema: { type: 'object' }, timeout: '2m', strict: true, pool: 'gpu' }
    expect(parseYaml(toYaml(document)).document).toEqual(document)
    expect(documentFrom({ ...DOCUMENT, input_schema: {}, defaults: {}, timeout: '', output: '', strict: false, pool: '' })).toEqual(DOCUMENT)
    const text = toYaml(documentFrom(document))
    expect(text.indexOf('timeout')).toBeLessThan(text.indexOf('steps'))
  })
})
