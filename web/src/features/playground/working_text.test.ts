import { describe, expect, it } from 'vitest'

import { newColumn } from './columns'
import { runRequest } from './run_request'
import { preview, textOf, inputsAcross } from './working_text'

const text = (content: string) => textOf({ kind: 'text', content, messages: [] })
const column = (version: string) => newColumn({ version, provider: 'openai', model: 'gpt-5-mini', parameters: { temperature: 0.2 } })

describe('the inputs of several texts', () => {
  it('are lists where they fill a placeholder', () => {
    const chat = textOf({ kind: 'chat', content: '', messages: [{ role: 'system', content: '{{shop}}' }, { type: 'placeholder', name: 'history' }] })
    expect(inputsAcross([{ label: 'v1', text: chat }])).toEqual([{ name: 'shop', isList: false, only: [] }, { name: 'history', isList: true, only: [] }])
  })

  it('stand once, with those that have them where not all do', () => {
    expect(inputsAcross([{ label: 'v3', text: text('Hi {{who}}') }, { label: 'draft', text: text('Hi {{who}} in {{ city }}') }, { label: 'v3', text: text('Hi {{who}}') }])).toEqual([
      { name: 'who', isList: false, only: [] },
      { name: 'city', isList: false, only: ['draft'] },
    ])
  })
})

it('previews a chat with what has a value', () => {
  const chat = textOf({ kind: 'chat', content: '', messages: [{ role: 'system', content: 'For {{shop}}' }, { role: 'user', content: '{{question}}' }] })
  expect(preview(chat, { shop: 'Books', question: '' })).toEqual([{ role: 'system', content: 'For Books' }, { role: 'user', content: '{{question}}' }])
})

describe('the request of a column', () => {
  const asked = { promptId: 'p1', workspace: 'default', text: text('Edited {{who}}'), variables: { who: 'Ada' } }

  it('names a published version', () => {
    expect(runRequest(column('v3'), asked)).toEqual({ id: 'p1', version: 'v3', variables: { who: 'Ada' }, provider: 'openai', model: 'gpt-5-mini', parameters: { temperature: 0.2 }, stream: true })
  })

  it('names the prompt alone for its draft', () => {
    expect(runRequest(column('draft'), asked)).not.toHaveProperty('version')
  })

  it('sends the text that was edited here along with the prompt', () => {
    expect(runRequest(column('edited'), asked)).toMatchObject({ id: 'p1', content: 'Edited {{who}}' })
  })

  it('sends the text and the workspace where there is no prompt, and key and address for this run', () => {
    const free = { ...column('edited'), apiKey: 'sk-1', baseUrl: 'http://127.0.0.1:11434' }
    expect(runRequest(free, { ...asked, promptId: undefined })).toMatchObject({ workspace: 'default', content: 'Edited {{who}}', api_key: 'sk-1', base_url: 'http://127.0.0.1:11434' })
  })
})
