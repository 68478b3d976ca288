import { textOf, type Step } from './step_graph'
import { variablesOf } from './templates'

/** What a template has without an input of the run: the output of the step before, and those of named steps. */
const BEFORE = 'input'
const STEPS = 'steps'
/** The place of a map's item. */
const INDEX = 'index'

export function objectOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
}

/** All texts of the step, however deep. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  return value === null || typeof value !== 'object' ? [] : Object.values(value).flatMap(textsIn)
}

/** The variables that a run is asked for: those of the steps' templates, in their order. */
export function variablesOfSteps(steps: readonly Step[]): string[] {
  const names = steps.flatMap((step, index) => {
    const bound = step.type === 'map' ? [textOf(step, 'as') || 'item', INDEX] : []
    const own = [...new Set(templatesOf(step).flatMap(variablesOf).map((path) => path.split('.')[0] as string))].filter((name) => name !== STEPS && !bound.includes(name))
    // The first step has no step before it.
    return index === 0 ? own : own.filter((name) => name !== BEFORE)
  })
  return [...new Set(names)]
}

/** The fields of a step in which variables are filled in. */
function templatesOf(step: Step): string[] {
  switch (step.type) {
    case 'render': return [textOf(step, 'template'), ...textsIn(objectOf(step.prompt)?.subject)]
    case 'model': return textsIn([step.system, step.messages])
    case 'http': return textsIn([step.url, step.headers, step.body])
    case 'agent': return textsIn([step.variables, step.message])
    case 'workflow': return textsIn(step.variables)
    case 'approval': return textsIn(step.message)
    case 'map': return [...textsIn(step.over), ...templatesOf(objectOf(step.step) ?? {})]
    default: return []
  }
}
