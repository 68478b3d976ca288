import { describe, expect, it } from 'vitest'

import { bodyOf, defaultsOf } from './connection_form'
import type { Connection } from './lists'

const stored = { name: 'house', kind: 'openai-compatible', base_url: 'http://localhost:8000', model: 'qwen', has_key: true, first_token_seconds: 30, answer_seconds: null } as Connection

describe('what the form of a connection sends', () => {
  it('leaves the stored key alone where none was typed', () => {
    expect(bodyOf(defaultsOf(stored))).toEqual({ name: 'house', kind: 'openai-compatible', base_url: 'http://localhost:8000', model: 'qwen', first_token_seconds: 30, answer_seconds: null, compatibility: null })
  })

  it('replaces the key by the one that was typed, and removes it on request', () => {
    expect(bodyOf({ ...defaultsOf(stored), api_key: 'sk-new' }).api_key).toBe('sk-new')
    expect(bodyOf({ ...defaultsOf(stored), removeKey: true }).api_key).toBeNull()
  })

  it('sends the switches that are set, as what they are, and removes all when none is', () => {
    const compatibility = { stream_options: false, structured_output: 'json_object', tool_call_id_length: 9 } as const
    const form = defaultsOf({ ...stored, compatibility } as Connection)
    expect(form.compatibility).toMatchObject({ stream_options: 'false', developer_role: '', tool_call_id_length: 9 })
    expect(bodyOf(form).compatibility).toEqual(compatibility)
    expect(bodyOf({ ...form, compatibility: defaultsOf(stored).compatibility }).compatibility).toBeNull()
  })

  it('gives back the vendor\'s own address and the gateway\'s limits for empty fields', () => {
    const sent = bodyOf({ ...defaultsOf(stored), base_url: '', model: '', first_token_seconds: '' })
    expect([sent.base_url, sent.model, sent.first_token_seconds]).toEqual([null, null, null])
  })
})
