import { describe, expect, it } from 'vitest'

import type { Schemas } from '@/api/client'

import { causesOf, pattern } from './causes'

function run(id: string, error: string, minute: number, ref_key = 'a'): Schemas['Run'] {
  return { id, error, ref_key, source: 'agent', status: 'error', created_at: new Date(minute * 60_000).toISOString() } as Schemas['Run']
}

describe('causes of failures', () => {
  it('are the same where only numbers, ids and quoted words differ', () => {
    expect(pattern('openai timed out after 30.5 s (request 01a228f9-beef)')).toBe(pattern('openai timed out after 8 s (request 0bb9c1ee-0000)'))
    expect(pattern('output has no "citations"')).toBe(pattern('output has no "title"'))
    expect(pattern('timed out')).not.toBe(pattern('refused'))
  })

  it('come with the newest sentence, how often, and when', () => {
    const causes = causesOf([run('1', 'step 3 failed', 5), run('2', 'step 4 failed', 55), run('3', 'refused', 59), run('4', 'step 3 failed', 20, 'b')], 0, 60 * 60_000)
    expect(causes.map(({ text, key, count }) => [text, key, count])).toEqual([['step 4 failed', 'a', 2], ['refused', 'a', 1], ['step 3 failed', 'b', 1]])
    expect(causes[0]?.newest.id).toBe('2')
    expect(causes[0]?.counts).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  })
})
