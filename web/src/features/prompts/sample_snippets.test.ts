import { describe, expect, it } from 'vitest'

import { SNIPPETS } from './sample_snippets'

describe('the snippets of a first program', () => {
  it.each(SNIPPETS)('name server, key, environment and token: $name', ({ write }) => {
    const snippet = write({ server: 'http://localhost:8080', workspace: 'default', key: 'sample.support-reply', env: 'prod', token: 'pok_1', variables: { shop: 'Ada\'s "shop"' } })
    for (const part of ['http://localhost:8080', 'default', 'sample.support-reply', 'prod', 'pok_1']) expect(snippet).toContain(part)
  })

  it.each(SNIPPETS)('take the token from the environment where there is none to show: $name', ({ write }) => {
    expect(write({ server: 'http://localhost:8080', workspace: 'default', key: 'greeting', env: 'prod', token: null, variables: {} })).toContain('PROMPTOPS_TOKEN')
  })
})
