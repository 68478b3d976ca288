/** Headers as lines of `name: value`. */
export function headersText(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join('\n')
}

/** The headers of such lines; null where a line is none. */
export function readHeaders(text: string): Record<string, string> | null {
  const headers: Record<string, string> = {}
  for (const line of text.split('\n').filter((one) => one.trim())) {
    const [, name, value] = /^\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:\s*(.*?)\s*$/u.exec(line) ?? []
    if (!name || value === undefined) return null
    headers[name.toLowerCase()] = value
  }
  return headers
}
