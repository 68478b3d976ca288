import { server } from '@/api/base'

import type { ColumnList } from './column_list'
import { DRAFT, EDITED, type Column } from './columns'
import type { SnippetInput } from './snippets'
import type { Source } from './source'
import { preview } from './working_text'

const DEFAULT_WORKSPACE = 'default'
const SENT = ['temperature', 'max_tokens', 'top_p', 'stop', 'seed']

/** What a program needs to do the same as the column. */
export function snippetInput(column: Column, version: string, workspace: string, source: Source, list: ColumnList): SnippetInput {
  const prompt = source.prompt.value
  const provider = list.providers.find(column.provider)
  const request = list.requestOf(column)
  const config = Object.fromEntries(Object.entries(source.configFor(version)).filter(([name]) => SENT.includes(name)))
  const isServed = prompt?.published_version ? version === prompt.published_version : version === DRAFT
  const ownText = !prompt || version === EDITED
  return {
    server: server(),
    workspace: workspace === DEFAULT_WORKSPACE ? '' : workspace,
    prompt: prompt && !ownText ? { key: prompt.key, env: prompt.env } : null,
    unserved: isServed || ownText ? '' : version,
    messages: preview(source.textFor(version), {}),
    variables: request.variables,
    kind: provider?.kind ?? column.provider,
    baseUrl: column.baseUrl || provider?.baseUrl || '',
    model: column.model || list.runOf(column).answer?.result.model || provider?.model || 'MODEL',
    parameters: { ...config, ...column.parameters },
    request: { ...request, api_key: undefined },
    hasKey: column.apiKey !== '',
  }
}
