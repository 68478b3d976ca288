/** The parts of an id: split at `-`, `_`, `/`, `.`, blanks, and where camelCase begins a word. */
export function partsOf(id: string): string[] {
  return id.replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2').toLowerCase().split(/[-_/.\s:]+/u).filter(Boolean)
}

/**
 * How well `text` fits what was typed, 0 for not at all: each typed part has to begin a part of the
 * text or stand within it; beginnings count more, and so do short texts.
 */
export function score(text: string, typed: string): number {
  const asked = partsOf(typed)
  if (!asked.length) return 1
  const parts = partsOf(text)
  const whole = text.toLowerCase()
  let points = 0
  for (const part of asked) {
    const at = parts.findIndex((one) => one.startsWith(part))
    if (at === 0) points += 4
    else if (at > 0) points += 3
    else if (whole.includes(part)) points += 1
    else return 0
  }
  return points / asked.length + 1 / (whole.length + 1)
}

export function best<T>(items: readonly T[], typed: string, textOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, points: score(textOf(item), typed) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .map(({ item }) => item)
}
