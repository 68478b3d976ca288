import { Document, LineCounter, isMap, isNode, isScalar, isSeq, parseDocument, visit } from 'yaml'

import type { Step } from './steps'

/** The fields of a workflow beside its steps; an absent one is not in the document. */
export const SETTINGS = ['input_schema', 'defaults', 'timeout', 'output', 'strict', 'pool'] as const
/** What is of no version. */
export const TEXTS = ['name', 'description', 'tags'] as const
export type TextField = (typeof TEXTS)[number]
export type Setting = (typeof SETTINGS)[number]

export interface WorkflowDocument extends Partial<Record<Setting, unknown>> {
  name: string
  description: string
  /** With commas between them. */
  tags: string
  steps: Step[]
}

/** What a setting is where it is not set. */
export const UNSET: Record<Setting, unknown> = { input_schema: {}, defaults: {}, timeout: '', output: '', strict: false, pool: '' }

/** The document of these fields, in the order in which people read it, without settings that are not set. */
export function documentFrom(fields: Partial<Record<keyof WorkflowDocument, unknown>>): WorkflowDocument {
  const settings = SETTINGS.filter((name) => fields[name] !== undefined && fields[name] !== null && JSON.stringify(fields[name]) !== JSON.stringify(UNSET[name])).map((name) => [name, fields[name]])
  const texts = Object.fromEntries(TEXTS.map((name) => [name, (fields[name] as string | null | undefined) ?? ''])) as Record<TextField, string>
  return { ...texts, ...Object.fromEntries(settings), steps: (fields.steps as Step[] | null) ?? [] }
}

/** Lines of the text, from 1. */
export interface Lines {
  from: number
  to: number
}

export interface Parsed {
  document?: WorkflowDocument
  /** Where each step stands. */
  lines: Lines[]
  /** Why there is no document. */
  error?: { kind: 'syntax' | 'shape'; message: string; line: number; column: number }
}

/** Lists that are written on one line. */
const LISTS_OF_NAMES = new Set(['needs', 'then', 'else'])

/** The definition as a person would write it: a blank line between the steps, long texts as blocks. */
export function toYaml(definition: WorkflowDocument): string {
  const document = new Document(Object.fromEntries(Object.entries(definition).filter(([name, value]) => value !== '' || !TEXTS.some((text) => text === name))))
  const list = document.get('steps')
  if (isSeq(list)) {
    list.items.forEach((item, index) => {
      if (isNode(item) && index > 0) item.spaceBefore = true
    })
  }
  visit(document, { Pair: (_key, { key, value }) => { if (isScalar(key) && LISTS_OF_NAMES.has(String(key.value)) && isSeq(value)) value.flow = true } })
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

export function parseYaml(text: string): Parsed {
  const counter = new LineCounter()
  const source = parseDocument(text, { lineCounter: counter })
  const lines = linesOf(source, counter, text)
  const [first] = source.errors
  if (first) {
    const [at] = first.linePos ?? []
    const message = first.message.split('\n')[0] ?? first.message
    return { lines, error: { kind: 'syntax', message: message.replace(/ at line \d+, column \d+:?$/, ''), line: at?.line ?? 1, column: at?.col ?? 1 } }
  }
  let value: unknown
  try {
    value = source.contents === null ? {} : source.toJS({ maxAliasCount: 100 })
  } catch (failure) {
    // Aliases of aliases of aliases, which would be millions of steps.
    return { lines, error: { kind: 'syntax', message: (failure as Error).message, line: 1, column: 1 } }
  }
  const wrong = shapeProblem(value)
  if (wrong) return { lines, error: { kind: 'shape', message: wrong, line: 1, column: 1 } }
  return { lines, document: documentFrom(value as Partial<WorkflowDocument>) }
}

const FIELDS: readonly string[] = [...TEXTS, ...SETTINGS, 'steps']

/** The field that can't be as it is; the steps themselves are judged by the platform. */
function shapeProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'document'
  const fields = value as Record<string, unknown>
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) return unknown
  for (const name of TEXTS) if (fields[name] != null && typeof fields[name] !== 'string') return name
  const steps = fields.steps ?? []
  const areSteps = Array.isArray(steps) && steps.every((step) => typeof step === 'object' && step !== null && !Array.isArray(step))
  return areSteps ? null : 'steps'
}

function linesOf(source: Document, counter: LineCounter, text: string): Lines[] {
  const list = isMap(source.contents) ? source.contents.get('steps') : null
  if (!isSeq(list)) return []
  return list.items.map((item) => {
    const range = isNode(item) ? item.range : null
    if (!range) return { from: 1, to: 1 }
    const end = Math.max(range[0], range[0] + text.slice(range[0], range[2]).trimEnd().length)
    return { from: counter.linePos(range[0]).line, to: counter.linePos(end).line }
  })
}

/** Numbers that stay with their steps: of the steps before, those that begin and end the list alike keep theirs. */
export function keptIds(before: readonly Step[], ids: readonly number[], after: readonly Step[], next: () => number): number[] {
  const same = (a: Step | undefined, b: Step | undefined) => JSON.stringify(a) === JSON.stringify(b)
  if (before.length === after.length) return [...ids]
  let head = 0
  while (head < before.length && head < after.length && same(before[head], after[head])) head++
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && same(before.at(-1 - tail), after.at(-1 - tail))) tail++
  return after.map((_step, index) => {
    if (index < head) return ids[index] as number
    const fromEnd = after.length - index
    return fromEnd <= tail ? (ids[before.length - fromEnd] as number) : next()
  })
}
