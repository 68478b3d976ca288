import type { SnippetInput } from './input'

const KEY = '\u0000key\u0000'

/** The column's own request, for a shell; a key comes from the shell's environment. */
export function curlSnippet(input: SnippetInput): string {
  const body = { ...input.request, ...(input.hasKey ? { api_key: KEY } : {}) }
  const json = quoted(JSON.stringify(body, null, 2)).replace(JSON.stringify(KEY), `"'"$PROVIDER_API_KEY"'"`)
  return [`curl -N ${quoted(`${input.server}/api/playground/run`)} \\`, '  -H "Authorization: Bearer $PROMPTOPS_TOKEN" \\', '  -H \'Content-Type: application/json\' \\', `  -d ${json}`].join('\n')
}

function quoted(text: string): string {
  return `'${text.replace(/'/gu, `'\\''`)}'`
}
