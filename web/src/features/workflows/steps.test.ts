import { describe, expect, it } from 'vitest'

import { freeName, localProblems, newStep, providersOfSteps, summaryOf, variablesOfSteps } from './steps'

describe('steps', () => {
  it('get a name that no other has', () => {
    expect(freeName('model', [])).toBe('model')
    expect(freeName('model', [{ name: 'model' }, { name: 'model_2' }])).toBe('model_3')
    expect(newStep('render', [{ name: 'render' }])).toEqual({ name: 'render_2', type: 'render', template: '' })
  })

  it('ask for the variables of their templates, and not for the output of the step before', () => {
    const steps = [
      { type: 'render', template: '{{input}} of {{ who }}' },
      { type: 'model', provider: 'mock' },
      { type: 'render', template: '{{input}} {{tone}} {{who}}' },
      { type: 'render', template: 5 },
    ]
    expect(variablesOfSteps(steps)).toEqual(['input', 'who', 'tone'])
    expect(variablesOfSteps(steps.slice(1))).toEqual(['tone', 'who'])
  })

  it('name their providers with fallbacks', () => {
    const steps = [{ type: 'model' }, { type: 'model', provider: 'openai', fallbacks: [{ provider: 'claude', model: 'c' }] }]
    expect(providersOfSteps(steps)).toEqual(['mock', 'openai', 'claude'])
    expect(summaryOf(steps[1] ?? {})).toBe('openai → claude · c')
  })

  it('are checked without the platform', () => {
    const say = (field: string, value: string) => `${field}:${value}`
    expect(localProblems([{ type: 'rendr' }, { type: 'transform' }, { type: 'render' }], say)).toEqual([
      { step: 0, field: 'type', error: 'type:rendr' },
      { step: 1, field: 'op', error: 'op:' },
    ])
  })
})
