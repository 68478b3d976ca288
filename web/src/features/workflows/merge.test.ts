import { describe, expect, it } from 'vitest'

import { mergeDocuments } from './merge'
import type { WorkflowDocument } from './document'
import type { Step } from './steps'

const step = (name: string, template = name): Step => ({ name, type: 'render', template })
const documentOf = (steps: Step[], fields: Partial<WorkflowDocument> = {}): WorkflowDocument => ({ name: 'Greeting', description: '', tags: '', ...fields, steps })
const namesOf = ({ steps }: WorkflowDocument) => steps.map(({ name }) => name)
const base = documentOf([step('ask'), step('check'), step('send')])

describe('two edits of one workflow', () => {
  it('are merged where they touch different steps and fields', () => {
    const mine = documentOf([step('ask', 'Ask politely'), step('check'), step('send'), step('thank')], { description: 'Mine' })
    const theirs = documentOf([step('log'), step('ask'), step('send', 'Send it')], { output: 'send' })
    const { overlaps, merged } = mergeDocuments(base, mine, theirs)
    expect(overlaps).toEqual([])
    expect(merged({})).toEqual(documentOf([step('log'), step('ask', 'Ask politely'), step('send', 'Send it'), step('thank')], { description: 'Mine', output: 'send' }))
  })

  it('leave what both changed to a choice, step by step', () => {
    const mine = documentOf([step('ask', 'mine'), step('check', 'mine'), step('send')], { timeout: '1m' })
    const theirs = documentOf([step('ask', 'theirs'), step('check', 'theirs'), step('send', 'theirs')], { timeout: '2m' })
    const { overlaps, merged } = mergeDocuments(base, mine, theirs)
    expect(overlaps.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['field timeout', 'step ask', 'step check'])
    const chosen = merged({ 'step ask': 'theirs', 'step check': 'mine' })
    expect(chosen.steps).toEqual([step('ask', 'theirs'), step('check', 'mine'), step('send', 'theirs')])
    expect(chosen.timeout).toBe('1m')
  })

  it('lose no step that one removed and the other changed', () => {
    const mine = documentOf([step('ask'), step('send')])
    const theirs = documentOf([step('ask'), step('check', 'better'), step('send')])
    const { overlaps, merged } = mergeDocuments(base, mine, theirs)
    expect(overlaps).toEqual([{ id: 'step check', kind: 'step', name: 'check', mine: undefined, theirs: step('check', 'better') }])
    expect(namesOf(merged({}))).toEqual(['ask', 'send'])
    expect(merged({ 'step check': 'theirs' }).steps).toEqual(theirs.steps)
  })

  it('keep the steps that both added, and the order that one made', () => {
    const mine = documentOf([step('ask'), step('mine'), step('check'), step('send')])
    const theirs = documentOf([step('send'), step('ask'), step('theirs'), step('check')])
    const order = namesOf(mergeDocuments(base, mine, theirs).merged({}))
    expect([...order].sort()).toEqual(['ask', 'check', 'mine', 'send', 'theirs'])
    expect(order[0]).toBe('send')
  })

  it('keep steps without names, or with one name twice, by their places', () => {
    const twice = documentOf([step('ask'), step('ask', 'again'), { type: 'render', template: 'x' }])
    const theirs = documentOf([step('ask'), step('ask', 'changed'), { type: 'render', template: 'x' }])
    expect(mergeDocuments(twice, documentOf([...twice.steps, step('send')]), theirs).merged({}).steps).toEqual([...theirs.steps, step('send')])
  })
})
