import type { Parameters } from '@/app/parameters'

/** The text that was changed here, instead of a version of the prompt. */
export const EDITED = 'edited'
/** The working copy of the prompt. */
export const DRAFT = 'draft'
export const MOST_COLUMNS = 4


/** What one column asks: a text, a model, and how. It can stand in an address. */
export interface ColumnChoice {
  /** `EDITED`, `DRAFT` or the label of a published version. */
  version: string
  provider: string
  model: string
  parameters: Parameters
}

/** A column on the page; key and base address live in memory only, as long as the page does. */
export interface Column extends ColumnChoice {
  id: number
  apiKey: string
  baseUrl: string
}

let nextId = 1

export function newColumn(choice: ColumnChoice, secrets: Pick<Column, 'apiKey' | 'baseUrl'> = { apiKey: '', baseUrl: '' }): Column {
  const { version, provider, model, parameters } = choice
  return { id: nextId++, version, provider, model, parameters: { ...parameters }, apiKey: secrets.apiKey, baseUrl: secrets.baseUrl }
}

/** The columns as a parameter of the address: never with a key, nor with an address that may hold one. */
export function encodeColumns(columns: readonly Column[]): string {
  return JSON.stringify(columns.map(({ version, provider, model, parameters }) => ({ v: version, p: provider, m: model || undefined, s: Object.keys(parameters).length ? parameters : undefined })))
}

/** What an address says, as far as it can be read; an address of another release or a cut one gives none. */
export function decodeColumns(text: string): ColumnChoice[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return []
  }
  if (!Array.isArray(parsed)) return []
  return parsed.slice(0, MOST_COLUMNS).flatMap((one: unknown) => {
    if (!isRecord(one) || typeof one.v !== 'string' || typeof one.p !== 'string') return []
    return [{ version: one.v, provider: one.p, model: typeof one.m === 'string' ? one.m : '', parameters: isRecord(one.s) ? one.s : {} }]
  })
}

/** `temp 0.2`, `max 800` and so on, for the line under a column's head. */
export function summaryOf(parameters: Parameters): { name: string; value: string }[] {
  const NAMES: Record<string, string> = { temperature: 'temp', max_tokens: 'max', top_p: 'top p' }
  return Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => ({ name: NAMES[name] ?? name, value: typeof value === 'object' ? JSON.stringify(value) : String(value) }))
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
