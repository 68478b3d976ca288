/** What the platform takes for a placeholder: letters, digits, `_` and `.` between double braces. */
const PLACEHOLDER = /\{\{[ \t\r\n]*([\p{L}\p{Nd}_.]+)[ \t\r\n]*\}\}/gu

/** Names of `{{ variables }}`, by first appearance. */
export function variablesOf(text: string): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].map((match) => match[1] as string))]
}

/** The text with its variables filled in; a variable without a value stays as it was written. */
export function rendered(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => (Object.hasOwn(values, name) && values[name]) || whole)
}

/** About how many tokens a model counts: 4 characters of Latin text, or one of Chinese, are one. */
export function tokensOf(text: string): number {
  const wide = (text.match(/[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]/gu) ?? []).length
  return Math.ceil(wide + (text.length - wide) / 4)
}
