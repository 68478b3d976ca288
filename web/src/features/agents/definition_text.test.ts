import { describe, expect, it } from 'vitest'

import { definitionText } from './definition_text'

describe('an agent as a text', () => {
  it('has the prompt as it is written, and nothing that is empty', () => {
    const text = definitionText({ prompt: 'Help {{who}}.\nBe brief.', prompt_ref: null, provider: 'mock', model: '', fallbacks: [], parameters: {}, max_steps: 8, output_schema: { type: 'object' } })
    expect(text).toBe('provider: mock\nmax_steps: 8\noutput_schema: {\n  "type": "object"\n}\n\nHelp {{who}}.\nBe brief.')
  })
})
