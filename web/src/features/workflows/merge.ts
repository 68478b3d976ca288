import { diff3Merge } from 'node-diff3'

import { SETTINGS, TEXTS, documentFrom, type WorkflowDocument } from './document'
import { textOf, type Step } from './steps'

export type Side = 'mine' | 'theirs'

/** One step, or one field of the workflow itself, that both changed; undefined on the side that has removed it. */
export interface Overlap {
  id: string
  kind: 'step' | 'field'
  name: string
  mine: unknown
  theirs: unknown
}

export interface Merge {
  overlaps: Overlap[]
  /** Both edits in one document, with the chosen side of each overlap; mine where nobody has chosen. */
  merged: (choices: Readonly<Record<string, Side>>) => WorkflowDocument
}

const FIELDS = [...TEXTS, ...SETTINGS] as const

interface Parts {
  values: Map<string, unknown>
  /** Of the steps, in their order. */
  steps: string[]
}

/** Two edits of one workflow on top of their common base, step by step and field by field. */
export function mergeDocuments(base: WorkflowDocument, mine: WorkflowDocument, theirs: WorkflowDocument): Merge {
  const [before, own, others] = [base, mine, theirs].map(partsOf) as [Parts, Parts, Parts]
  const ids = [...new Set([...before.values.keys(), ...own.values.keys(), ...others.values.keys()])]
  const overlaps = ids.filter((id) => isOverlap(id)).map((id): Overlap => ({ id, ...labelOf(id), mine: own.values.get(id), theirs: others.values.get(id) }))

  function isOverlap(id: string): boolean {
    return ![same(own, before, id), same(others, before, id), same(own, others, id)].includes(true)
  }

  function merged(choices: Readonly<Record<string, Side>>): WorkflowDocument {
    const sideOf = (id: string) => (isOverlap(id) ? (choices[id] === 'theirs' ? others : own) : same(own, before, id) ? others : own)
    const valueOf = (id: string) => sideOf(id).values.get(id)
    const order = orderOf(before.steps, own.steps, others.steps, (id) => valueOf(id) !== undefined)
    const fields = Object.fromEntries(FIELDS.map((name) => [name, valueOf(`field ${name}`)]))
    return documentFrom({ ...fields, steps: order.map((id) => valueOf(id) as Step) })
  }

  return { overlaps, merged }
}

/** Steps are the same by their names; one without a name of its own by its place. */
function partsOf(document: WorkflowDocument): Parts {
  const names = document.steps.map((step) => textOf(step, 'name'))
  const steps = names.map((name, index) => (name && names.indexOf(name) === index ? `step ${name}` : `step #${index + 1}`))
  const fields = FIELDS.map((name): [string, unknown] => [`field ${name}`, document[name]])
  return { values: new Map([...fields, ...steps.map((id, index): [string, unknown] => [id, document.steps[index]])]), steps }
}

function labelOf(id: string): Pick<Overlap, 'kind' | 'name'> {
  const space = id.indexOf(' ')
  return { kind: id.slice(0, space) as Overlap['kind'], name: id.slice(space + 1) }
}

function same(a: Parts, b: Parts, id: string): boolean {
  return JSON.stringify(a.values.get(id)) === JSON.stringify(b.values.get(id))
}

/** The order of both; a step that only one side still has stands after the one that it follows there. */
function orderOf(base: string[], mine: string[], theirs: string[], isKept: (id: string) => boolean): string[] {
  const regions = diff3Merge(mine, base, theirs, { excludeFalseConflicts: true })
  const order = [...new Set(regions.flatMap(({ ok, conflict }) => ok ?? [...(conflict?.a ?? []), ...(conflict?.b ?? [])]))]
  for (const side of [mine, theirs]) {
    side.forEach((id, index) => {
      if (!order.includes(id) && isKept(id)) order.splice(index === 0 ? 0 : order.indexOf(side[index - 1] as string) + 1, 0, id)
    })
  }
  return order.filter(isKept)
}
