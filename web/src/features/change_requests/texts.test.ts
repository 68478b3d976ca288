import { describe, expect, it } from 'vitest'

import { labelOf, servedText } from './texts'

describe('servedText', () => {
  it('shows a rollout above the prompt', () => {
    const content = { kind: 'text', content: 'Hello', messages: [], model: '', config: {} }
    const rollout = { enabled: true, variants: [{ name: 'A', version: 'v1', weight: 9000 }, { name: 'B', version: 'v2', weight: 1000 }], salt: 's' }
    expect(servedText('prompt', { version: 'v1', content, rollout })).toBe('rollout:\n  A  v1  90.00 %\n  B  v2  10.00 %\n\nHello')
    expect(servedText('prompt', { version: 'v1', content, rollout: { ...rollout, enabled: false } })).toBe('Hello')
  })

  it('is empty where nothing is served', () => {
    expect(servedText('agent', { version: null, content: null, rollout: null })).toBe('')
  })
})

it('names versions as the other pages do', () => {
  expect([labelOf('prompt', 'v2'), labelOf('agent', '2'), labelOf('agent', null)]).toEqual(['v2', 'v2', ''])
})
