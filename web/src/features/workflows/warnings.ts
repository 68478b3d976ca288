/** What of a saved definition has no effect or may go wrong, at its step where it names one. */
export interface Warning {
  /** From 0; null where it is about the whole. */
  step: number | null
  text: string
}

/** The warnings of a save; their sentences begin with the step, as `step 2 (call): …`. */
export function warningsOf(sentences: readonly string[]): Warning[] {
  return sentences.map((sentence) => {
    const [, number, text] = /^step (\d+)(?: \(.*?\))?: (.*)$/su.exec(sentence) ?? []
    return number === undefined ? { step: null, text: sentence } : { step: Number(number) - 1, text: text ?? '' }
  })
}
