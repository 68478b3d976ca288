import { describe, expect, it } from 'vitest'

import { curlSnippet } from './curl'
import type { SnippetInput } from './input'
import { javaSnippet } from './java'
import { nodeSnippet } from './node'
import { pythonSnippet } from './python'

const input: SnippetInput = {
  server: 'https://prompts.example.org',
  workspace: '',
  prompt: { key: 'support.triage', env: 'prod' },
  unserved: '',
  messages: [{ role: 'user', content: 'Hi {{who}}' }],
  variables: { who: 'Ada "the \'first\'"' },
  kind: 'openai',
  baseUrl: '',
  model: 'gpt-5-mini',
  parameters: { temperature: 0.2, max_tokens: 800 },
  request: { id: 'p1', version: 'v3', variables: { who: 'it\'s Ada' }, provider: 'openai', stream: true },
  hasKey: true,
}
const write = { Python: pythonSnippet, Node: nodeSnippet, Java: javaSnippet }

describe('a copied shell command', () => {
  it('is the column\'s own request, with the key from the environment', () => {
    const text = curlSnippet(input)
    expect(text).toContain("curl -N 'https://prompts.example.org/api/playground/run'")
    expect(text).toContain(`"who": "it'\\''s Ada"`)
    expect(text).toContain(`"api_key": "'"$PROVIDER_API_KEY"'"`)
  })

  it('has no key where the column has none', () => {
    expect(curlSnippet({ ...input, hasKey: false })).not.toContain('api_key')
  })
})

describe('a copied program', () => {
  it('fetches the prompt with the SDK and calls OpenAI', () => {
    const python = pythonSnippet(input)
    expect(python).toContain('messages = prompts.render_messages("support.triage", variables)')
    expect(python).toContain('OpenAI(api_key=os.environ["OPENAI_API_KEY"])')
    expect(python).toContain('max_completion_tokens=800,')
    expect(nodeSnippet(input)).toContain('await prompts.renderMessages("support.triage", variables)')
    expect(javaSnippet(input)).toContain('prompts.renderMessages("support.triage", variables)')
    expect(javaSnippet(input)).toContain('.temperature(0.2)')
  })

  it('gives Claude its system text apart, and the tokens that it needs', () => {
    const claude = { ...input, kind: 'claude', model: 'claude-sonnet-4-5', parameters: { stop: 'END', seed: 7 } }
    expect(pythonSnippet(claude)).toContain('max_tokens=1024,\n    stop_sequences=["END"],')
    expect(pythonSnippet(claude)).not.toContain('seed')
    expect(nodeSnippet(claude)).toContain('system: messages.filter')
    expect(javaSnippet(claude)).toContain('.maxTokens(1024L)')
  })

  it('gives what an SDK has no argument for as a part of the body', () => {
    const more = { ...input, parameters: { max_tokens: 5, effort: { level: ['low'] } } }
    expect(pythonSnippet(more)).toContain('extra_body={"effort": {"level": ["low"]}},')
    expect(javaSnippet(more)).toContain('.putAdditionalBodyProperty("effort", JsonValue.from(Map.<String, Object>of("level", List.of("low"))))')
    expect(javaSnippet(more)).toContain('import java.util.List;')
    expect(javaSnippet(input)).not.toContain('import java.util.List;')
  })

  it('goes to a server of one\'s own without a key', () => {
    const ollama = { ...input, kind: 'ollama', baseUrl: 'http://127.0.0.1:11434/', model: 'llama3.2' }
    expect(pythonSnippet(ollama)).toContain('api_key="none", base_url="http://127.0.0.1:11434/v1"')
    expect(nodeSnippet({ ...ollama, baseUrl: '' })).toContain('baseURL: "http://127.0.0.1:11434/v1"')
  })

  it.each(Object.entries(write))('renders a text of its own in %s', (_name, snippet) => {
    const text = snippet({ ...input, prompt: null })
    expect(text).toMatch(/render_?template\(/iu)
    expect(text).toContain('Hi {{who}}')
    expect(text).not.toMatch(/new PromptOpsClient|with PromptOpsClient|PROMPTOPS_TOKEN/u)
  })

  it.each(Object.entries(write))('says in %s where programs get another text, and names the workspace', (_name, snippet) => {
    const text = snippet({ ...input, unserved: 'draft', workspace: 'acme' })
    expect(text).toContain('Programs get what prod serves; the playground asked draft.')
    expect(text).toContain('"acme"')
  })

  it.each(Object.entries(write))('ends with the messages in %s where the provider is the mock', (_name, snippet) => {
    expect(snippet({ ...input, kind: 'mock' })).not.toMatch(/openai|anthropic/iu)
  })
})
