import { placeholdersOf, type Message } from '@/app/chat'
import { variablesOf } from '@/app/templates'
import type { VariableInput } from '@/app/variable_values'

import type { Agent, Prompt } from './queries'

/** The variables of the agent's own text, or of the prompt that it refers to. */
export function inputsOf(agent: Pick<Agent, 'prompt' | 'prompt_ref'>, prompt: Pick<Prompt, 'variables' | 'messages'> | null): VariableInput[] {
  if (!agent.prompt_ref) return variablesOf(agent.prompt).map((name) => ({ name, isList: false }))
  const lists = placeholdersOf((prompt?.messages ?? []) as unknown as Message[])
  return (prompt?.variables ?? []).map((name) => ({ name, isList: lists.includes(name) }))
}
