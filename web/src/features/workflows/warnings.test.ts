import { describe, expect, it } from 'vitest'

import { warningsOf } from './warnings'

describe('the warnings of a save', () => {
  it('stand at the step that they name', () => {
    expect(warningsOf(["step 2 (call (new)): field 'modell' is unknown and has no effect", 'step 1: template reads {{who}}, which has no value'])).toEqual([
      { step: 1, text: "field 'modell' is unknown and has no effect" },
      { step: 0, text: 'template reads {{who}}, which has no value' },
    ])
  })

  it('are about the whole otherwise', () => {
    expect(warningsOf(["field 'colour' is unknown and has no effect"])).toEqual([{ step: null, text: "field 'colour' is unknown and has no effect" }])
  })
})
