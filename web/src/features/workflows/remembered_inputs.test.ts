// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest'

import { rememberInputs, rememberedInputs } from './remembered_inputs'

describe('the inputs of a workflow', () => {
  beforeEach(() => localStorage.clear())

  it('are remembered by workflow', () => {
    rememberInputs('one', { topic: 'tea' })
    expect(rememberedInputs('one')).toEqual({ topic: 'tea' })
    expect(rememberedInputs('other')).toEqual({})
  })

  it('are remembered without secrets', () => {
    rememberInputs('one', { topic: 'tea', api_key: 'k', 'db.password': 'p', Token: 't' })
    expect(rememberedInputs('one')).toEqual({ topic: 'tea' })
  })

  it('may be damaged', () => {
    localStorage.setItem('promptops.workflow.inputs.one', '{"a": 5, "b": "c"')
    expect(rememberedInputs('one')).toEqual({})
    localStorage.setItem('promptops.workflow.inputs.one', '{"a": 5, "b": "c"}')
    expect(rememberedInputs('one')).toEqual({ b: 'c' })
  })
})
