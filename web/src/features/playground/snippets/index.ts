import { curlSnippet } from './curl'
import type { SnippetInput } from './input'
import { javaSnippet } from './java'
import { nodeSnippet } from './node'
import { pythonSnippet } from './python'

export type { SnippetInput } from './input'

export interface Snippet { name: string; write: (input: SnippetInput) => string }

/** The languages in which a column can be copied. */
export const SNIPPETS: readonly Snippet[] = [
  { name: 'curl', write: curlSnippet },
  { name: 'Python', write: pythonSnippet },
  { name: 'Node', write: nodeSnippet },
  { name: 'Java', write: javaSnippet },
]
