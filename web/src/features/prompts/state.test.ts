import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { nextVersion, partsOfKey, rendered, tokensOf, variablesOf } from './state'

interface Case {
  name: string
  template: string
  variables: Record<string, unknown>
  expected: string
}

const cases = JSON.parse(readFileSync('../sdk/conformance/templates.json', 'utf8')) as { cases: Case[] }

describe('the preview', () => {
  const plain = cases.cases.filter((one) => Object.values(one.variables).every((value) => typeof value === 'string' && value !== ''))
  it.each(plain)('renders as the SDKs do: $name', ({ template, variables, expected }) => {
    expect(rendered(template, variables as Record<string, string>)).toBe(expected)
  })

  it('finds variables by first appearance', () => {
    expect(variablesOf('{{b}} {{ a.c }} {{b}} {{不}} {{ no no }} {{}}')).toEqual(['b', 'a.c', '不'])
  })
})

describe('labels and keys', () => {
  it('go on', () => {
    expect(nextVersion('v13')).toBe('v14')
    expect(nextVersion('spring')).toBe('spring')
    expect(partsOfKey('support.reply')).toEqual({ namespace: 'support.', name: 'reply' })
    expect(partsOfKey('greeting')).toEqual({ namespace: '', name: 'greeting' })
    expect(tokensOf('你好')).toBe(2)
  })
})
