import { textOf, textsOf, type Step } from '@/app/step_graph'
import { objectOf, variablesOfSteps } from '@/app/step_variables'

export { objectOf, textOf, textsOf, variablesOfSteps, type Step }

export const STEP_TYPES = ['render', 'model', 'transform', 'http', 'agent', 'workflow', 'map', 'branch', 'approval'] as const
export type StepType = (typeof STEP_TYPES)[number]
/** What a map can't do with an item. */
const NOT_MAPPED: readonly StepType[] = ['map', 'branch', 'approval']
export const MAPPED_TYPES = STEP_TYPES.filter((type) => !NOT_MAPPED.includes(type))
export const DECIDING_ROLES = ['viewer', 'editor', 'admin'] as const
export const TRANSFORM_OPS = ['upper', 'lower', 'trim', 'json', 'jmespath', 'regex', 'jinja'] as const
export const EXPRESSION_OPS = ['jmespath', 'regex', 'jinja']
export const HTTP_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
export const MOST_FALLBACKS = 5

export function isStepType(type: unknown): type is StepType {
  return STEP_TYPES.includes(type as StepType)
}

/** A new step of the type, with a name that no other step has. */
export function newStep(type: StepType, steps: readonly Step[]): Step {
  return { name: freeName(type, steps), type, ...structuredClone(FIRST_FIELDS[type]) }
}

const FIRST_FIELDS: Record<StepType, Step> = {
  render: { template: '' },
  model: { provider: 'mock', model: '' },
  transform: { op: 'trim' },
  http: { method: 'GET', url: 'https://' },
  agent: { key: '' },
  workflow: { key: '' },
  map: { over: '', as: 'item', step: { type: 'render', template: '{{item}}' }, width: 4 },
  branch: { when: '', then: [], else: [] },
  approval: { message: '' },
}

export function freeName(wish: string, steps: readonly Step[]): string {
  const taken = new Set(steps.map((step) => textOf(step, 'name')))
  if (!taken.has(wish)) return wish
  for (let number = 2; ; number++) if (!taken.has(`${wish}_${number}`)) return `${wish}_${number}`
}

export interface Choice {
  provider: string
  model: string
}

export function fallbacksOf(step: Step): Choice[] {
  const list = Array.isArray(step.fallbacks) ? (step.fallbacks as unknown[]) : []
  return list.filter((item) => typeof item === 'object' && item !== null).map((item) => ({ provider: textOf(item as Step, 'provider'), model: textOf(item as Step, 'model') }))
}

/** The providers that the steps name, fallbacks included. */
export function providersOfSteps(steps: readonly Step[]): string[] {
  const models = steps.map((step) => (step.type === 'map' ? (objectOf(step.step) ?? {}) : step)).filter((step) => step.type === 'model')
  return [...new Set(models.flatMap((step) => [textOf(step, 'provider') || 'mock', ...fallbacksOf(step).map((choice) => choice.provider)]))]
}

/** One line that shows what the step does. */
export function summaryOf(step: Step): string {
  switch (step.type) {
    case 'render': return promptSummary(step) || firstLine(textOf(step, 'template'))
    case 'transform': return [textOf(step, 'op'), firstLine(textOf(step, 'expression'))].filter(Boolean).join(' · ')
    case 'http': return `${textOf(step, 'method') || 'GET'} ${textOf(step, 'url')}`
    case 'agent': case 'workflow': return [textOf(step, 'key'), step.version ? `v${String(step.version).replace(/^v/, '')}` : textOf(step, 'env')].filter(Boolean).join(' · ')
    case 'map': return [textOf(step, 'over'), summaryOf(objectOf(step.step) ?? {})].filter(Boolean).join(' → ')
    case 'branch': return firstLine(textOf(step, 'when'))
    case 'approval': return firstLine(textOf(step, 'message'))
    case 'model': return [{ provider: textOf(step, 'provider') || 'mock', model: textOf(step, 'model') }, ...fallbacksOf(step)].map(({ provider, model }) => (model ? `${provider} · ${model}` : provider)).join(' → ')
    default: return ''
  }
}

function promptSummary(step: Step): string {
  const prompt = objectOf(step.prompt)
  if (!prompt) return ''
  return [textOf(prompt, 'key'), textOf(prompt, 'env'), textOf(prompt, 'version')].filter(Boolean).join(' · ')
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

export interface Problem {
  /** From 0; null where the document itself is wrong. */
  step: number | null
  field: string | null
  error: string
}

/** What is seen without the platform: enough while it can't be reached. */
export function localProblems(steps: readonly Step[], say: (field: string, value: string, options: string) => string): Problem[] {
  return steps.flatMap((step, index): Problem[] => {
    if (!isStepType(step.type)) return [{ step: index, field: 'type', error: say('type', String(step.type ?? ''), STEP_TYPES.join(', ')) }]
    const isOp = TRANSFORM_OPS.includes(step.op as (typeof TRANSFORM_OPS)[number])
    if (step.type === 'transform' && !isOp) return [{ step: index, field: 'op', error: say('op', String(step.op ?? ''), TRANSFORM_OPS.join(', ')) }]
    return []
  })
}
