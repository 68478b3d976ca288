const STORED = 'promptops.workflow.inputs.'
/** Names of variables whose values are not written down. */
const SECRET = /secret|passw|token|api_?key|credential/i
const MOST_STORED_CHARACTERS = 100_000

/** What the last run of the workflow was given, without anything secret. */
export function rememberedInputs(workflowId: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORED + workflowId) ?? '{}')
    const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
    return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  } catch {
    return {}
  }
}

export function rememberInputs(workflowId: string, variables: Record<string, string>): void {
  const text = JSON.stringify(Object.fromEntries(Object.entries(variables).filter(([name]) => !SECRET.test(name))))
  if (text.length > MOST_STORED_CHARACTERS) return
  try {
    localStorage.setItem(STORED + workflowId, text)
  } catch {
    // A full or forbidden store only means that the fields are empty next time.
  }
}
