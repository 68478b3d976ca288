import { diff3Merge } from 'node-diff3'

export interface Merge {
  text: string
  /** No line was changed by both. */
  isClean: boolean
}

/** Two edits of `base` in one text, by lines; where both changed the same ones, both stand between marks. */
export function mergeTexts(base: string, mine: string, theirs: string): Merge {
  const [original, ours, others] = [base, mine, theirs].map((text) => text.split('\n')) as [string[], string[], string[]]
  const regions = diff3Merge(ours, original, others, { excludeFalseConflicts: true })
  const lines = regions.flatMap(({ ok, conflict }) => ok ?? ['<<<<<<<', ...(conflict?.a ?? []), '=======', ...(conflict?.b ?? []), '>>>>>>>'])
  return { text: lines.join('\n'), isClean: regions.every(({ conflict }) => !conflict) }
}
