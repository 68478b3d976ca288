import type { Message } from '@/app/chat'
import type { Parameters } from '@/app/parameters'

import type { PlaygroundRun } from '../run_request'

/** What a column does, for a program that does the same. */
export interface SnippetInput {
  /** The origin of this platform. */
  server: string
  /** Slug of the workspace, empty for the default one. */
  workspace: string
  /** A prompt that programs fetch; null where the text stands in the program itself. */
  prompt: { key: string; env: string } | null
  /** What the column asks where that is not what programs are served, such as `draft`. */
  unserved: string
  messages: readonly Message[]
  variables: Readonly<Record<string, unknown>>
  /** What the provider speaks: one of the gateway's, also behind a stored connection. */
  kind: string
  baseUrl: string
  model: string
  parameters: Parameters
  /** The column's own request to the playground, without a key. */
  request: PlaygroundRun
  /** Whether the column has a key of the vendor, which no snippet shows. */
  hasKey: boolean
}

export interface Vendor {
  /** Which SDK of a vendor is used; null for the mock, which has none. */
  sdk: 'openai' | 'anthropic' | null
  baseUrl: string
  /** Environment variable with the key; empty where the server needs none. */
  keyVariable: string
}

/** How a program reaches the provider: all but Claude speak the Chat Completions format, too. */
export function vendorOf(kind: string, baseUrl: string): Vendor {
  const root = baseUrl.replace(/\/+$/u, '')
  const versioned = (address: string) => (/\/v\d/u.test(address) ? address : `${address}/v1`)
  switch (kind) {
    case 'mock':
      return { sdk: null, baseUrl: '', keyVariable: '' }
    case 'claude':
      return { sdk: 'anthropic', baseUrl: root.replace(/\/v1$/u, ''), keyVariable: 'ANTHROPIC_API_KEY' }
    case 'gemini':
      return { sdk: 'openai', baseUrl: root || 'https://generativelanguage.googleapis.com/v1beta/openai/', keyVariable: 'GEMINI_API_KEY' }
    case 'ollama':
      return { sdk: 'openai', baseUrl: versioned(root || 'http://127.0.0.1:11434'), keyVariable: '' }
    case 'openai':
      return { sdk: 'openai', baseUrl: root && versioned(root), keyVariable: 'OPENAI_API_KEY' }
    default:
      return { sdk: 'openai', baseUrl: root && versioned(root), keyVariable: 'PROVIDER_API_KEY' }
  }
}

const LEAST_CLAUDE_TOKENS = 1024

/** The parameters under the names that the vendor's API has. */
export function vendorParameters(input: SnippetInput, vendor: Vendor): [string, unknown][] {
  const parameters = Object.entries(input.parameters).filter(([, value]) => value !== null && value !== undefined && value !== '')
  if (vendor.sdk === 'anthropic') {
    const renamed = parameters.filter(([name]) => name !== 'seed' && name !== 'max_tokens').map(([name, value]): [string, unknown] => (name === 'stop' ? ['stop_sequences', Array.isArray(value) ? value : [value]] : [name, value]))
    return [['max_tokens', input.parameters.max_tokens ?? LEAST_CLAUDE_TOKENS], ...renamed]
  }
  return parameters.map(([name, value]) => [name === 'max_tokens' && input.kind === 'openai' ? 'max_completion_tokens' : name, value])
}
