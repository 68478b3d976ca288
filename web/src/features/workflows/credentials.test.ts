import { describe, expect, it } from 'vitest'

import type { Provider } from '@/app/providers'

import { credentialsNeeded } from './credentials'

const stored = (name: string, kind: string, hasKey: boolean): Provider => ({ name, kind, hasKey, isStored: true, model: '', baseUrl: '' })

describe('credentialsNeeded', () => {
  it('asks for a key where no connection has one', () => {
    expect(credentialsNeeded(['mock', 'openai'], [])).toEqual({ key: ['openai'], address: [] })
    expect(credentialsNeeded(['openai'], [stored('openai', 'openai', true)])).toEqual({ key: [], address: [] })
    expect(credentialsNeeded(['team'], [stored('team', 'claude', false)])).toEqual({ key: ['team'], address: [] })
  })

  it('asks for the address of a server of one’s own', () => {
    expect(credentialsNeeded(['ollama', 'openai-compatible'], [])).toEqual({ key: ['openai-compatible'], address: ['ollama', 'openai-compatible'] })
    expect(credentialsNeeded(['local'], [stored('local', 'ollama', false)])).toEqual({ key: [], address: [] })
  })
})
