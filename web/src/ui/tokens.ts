/** A search such as `env:prod state:draft "two words" refund` as filters and free text. */
export interface Search {
  filters: { name: string; value: string }[]
  text: string
}

const TOKEN = /([\p{L}_]+):("(?:[^"\\]|\\.)*"|\S+)|"((?:[^"\\]|\\.)*)"|(\S+)/gu

/** Words with a name that is not in `names` are free text. */
export function parseSearch(source: string, names: readonly string[]): Search {
  const filters: Search['filters'] = []
  const words: string[] = []
  for (const [whole, name, value, quoted, word] of source.matchAll(TOKEN)) {
    if (name && names.includes(name.toLowerCase())) filters.push({ name: name.toLowerCase(), value: unquoted(value ?? '') })
    else words.push(quoted === undefined ? (word ?? whole) : unquoted(`"${quoted}"`))
  }
  return { filters, text: words.join(' ') }
}

export function formatSearch({ filters, text }: Search): string {
  const tokens = filters.map(({ name, value }) => `${name}:${quoted(value)}`)
  return [...tokens, ...(text ? [text] : [])].join(' ')
}

function unquoted(value: string): string {
  return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1).replace(/\\(.)/gu, '$1') : value
}

function quoted(value: string): string {
  return /[\s"]/u.test(value) || value === '' ? `"${value.replace(/["\\]/gu, '\\$&')}"` : value
}
