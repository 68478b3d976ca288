import type { Schemas } from '@/api/client'

import { DRAFT, EDITED, type Column } from './columns'
import type { WorkingText } from './working_text'

/** The generated type has no names in `variables`. */
export type PlaygroundRun = Omit<Schemas['PlaygroundRun'], 'variables'> & { variables: Record<string, unknown> }

/** What of a prompt or of the page a column asks, and in which workspace. */
export interface Asked {
  promptId?: string
  workspace: string
  text: WorkingText
  /** What is sent: values of the text's variables. */
  variables: Record<string, unknown>
}

/** The body of the run of a column. */
export function runRequest(column: Column, asked: Asked): PlaygroundRun {
  const run: PlaygroundRun = { variables: asked.variables, provider: column.provider, stream: true }
  if (column.model) run.model = column.model
  if (Object.keys(column.parameters).length) run.parameters = column.parameters
  if (column.apiKey) run.api_key = column.apiKey
  if (column.baseUrl) run.base_url = column.baseUrl
  if (asked.promptId) run.id = asked.promptId
  else run.workspace = asked.workspace
  if (column.version === EDITED || !asked.promptId) {
    if (asked.text.kind === 'chat') run.messages = asked.text.messages
    else run.content = asked.text.content
  } else if (column.version !== DRAFT) run.version = column.version
  return run
}
