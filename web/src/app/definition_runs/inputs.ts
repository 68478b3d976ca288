import type { Schemas } from '@/api/client'

import { inputFields, type InputField } from '../inputs/fields'
import { variablesOfSteps } from '../step_variables'
import { variablesOf } from '../templates'

/** What a workflow or an agent asks for. An agent with a prompt of the registry takes that prompt's variables, which only the registry knows. */
export function fieldsOfDefinition(definition: Schemas['Workflow'] | Schemas['Agent']): InputField[] {
  if ('steps' in definition) return inputFields(definition.input_schema, definition.defaults, variablesOfSteps(definition.steps))
  return definition.prompt_ref ? [] : inputFields({}, {}, variablesOf(definition.prompt))
}

/** Inputs as a form shows them. */
export function textsOfInputs(variables: Record<string, unknown> | null): Record<string, string> {
  return Object.fromEntries(Object.entries(variables ?? {}).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
}
