import { describe, expect, it } from 'vitest'

import { targetFields, targetOf, targetText } from './target'

describe('what a schedule or a trigger runs', () => {
  it.each([
    { workflow: 'report', env: 'prod', variables: { who: 'Ada' } },
    { agent: 'helper', version: 3, variables: {} },
    { workflow: 'report', variables: {} },
  ])('is the same after it was edited: %o', (target) => {
    expect(targetOf(targetFields(target))).toEqual(target)
  })

  it('begins with a workflow that nobody has chosen', () => {
    expect(targetFields()).toEqual({ kind: 'workflow', key: '', choice: 'served', env: '', version: '', variables: null })
  })

  it('is shown with its version or its environment', () => {
    expect(targetText({ workflow: 'report', version: 3 })).toBe('report · v3')
    expect(targetText({ agent: 'helper', env: 'prod' })).toBe('helper · prod')
    expect(targetText({ agent: 'helper', env: null, version: null })).toBe('helper')
  })
})
