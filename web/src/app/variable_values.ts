/** A value that is asked for; `isList` are the messages that fill a placeholder, as JSON. */
export interface VariableInput {
  name: string
  isList: boolean
}

/** What is sent of typed values: what is empty is left out. `problem` names a list that can't be read. */
export function variablesToSend(inputs: readonly VariableInput[], values: Readonly<Record<string, string>>): { variables: Record<string, unknown>; problem: string } {
  const variables: Record<string, unknown> = {}
  let problem = ''
  for (const { name, isList } of inputs) {
    const value = values[name] ?? ''
    if (!value.trim()) continue
    const list = isList ? listOf(value) : null
    if (isList && !list) problem ||= name
    variables[name] = list ?? value
  }
  return { variables, problem }
}

function listOf(text: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : null
  } catch {
    return null
  }
}
