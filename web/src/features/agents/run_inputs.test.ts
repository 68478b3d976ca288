import { describe, expect, it } from 'vitest'

import { inputsOf } from './run_inputs'

describe('the inputs of a run', () => {
  it('are the variables of the agent\'s own text', () => {
    expect(inputsOf({ prompt: 'Hi {{who}} in {{city}}', prompt_ref: null }, null)).toEqual([{ name: 'who', isList: false }, { name: 'city', isList: false }])
  })

  it('are those of the prompt that it refers to, a placeholder\'s as a list', () => {
    const prompt = { variables: ['shop', 'history'], messages: [{ role: 'system', content: '{{shop}}' }, { type: 'placeholder', name: 'history' }] }
    expect(inputsOf({ prompt: '', prompt_ref: { key: 'k', env: 'prod', version: null } }, prompt)).toEqual([{ name: 'shop', isList: false }, { name: 'history', isList: true }])
  })
})
