import { describe, expect, it } from 'vitest'

import { runTargets } from './run_target'

const versions = [{ version: 5 }, { version: 3 }]

describe('what a run may take', () => {
  it('is the draft alone before the first publish', () => {
    expect(runTargets({ published_version: null, served: {} }, ['dev', 'prod'], [])).toEqual([{ value: '', version: null }])
  })

  it('is what the first environment serves, then the draft, other environments and each version', () => {
    const targets = runTargets({ published_version: 5, served: { dev: 5, prod: 3 } }, ['dev', 'staging', 'prod'], versions)
    expect(targets.map(({ value, version }) => [value, version])).toEqual([['', 5], ['draft', null], ['env:prod', 3], ['version:5', 5], ['version:3', 3]])
  })

  it('is a version that was made without being served', () => {
    expect(runTargets({ published_version: null, served: {} }, ['dev'], versions).map(({ value }) => value)).toEqual(['', 'version:5', 'version:3'])
  })
})
