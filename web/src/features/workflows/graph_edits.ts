import { isPlainList, linksOf, placesOf, stepsAfter, textOf, textsOf, type Step } from '@/app/step_graph'

/** What a change makes of the steps. They are new ones: what was there is not touched. */
export type Edit = (steps: readonly Step[]) => Step[]

/** Each step with a name and with what it needs written down, as it runs now. */
export function withNeeds(steps: readonly Step[]): Step[] {
  const withAllNames = withNames(steps)
  if (!isPlainList(withAllNames)) return withAllNames.map((step) => ({ ...step, needs: textsOf(step.needs) }))
  return withAllNames.map((step, index) => ({ ...step, needs: index === 0 ? [] : [textOf(withAllNames[index - 1] as Step, 'name')] }))
}

function withNames(steps: readonly Step[]): Step[] {
  const taken = new Set<string>()
  return steps.map((step, index) => {
    const wish = textOf(step, 'name') || `step_${index + 1}`
    let name = wish
    for (let number = 2; taken.has(name); number++) name = `${wish}_${number}`
    taken.add(name)
    return name === step.name ? step : { ...step, name }
  })
}

/** The step at `to` also needs the one at `from`. */
export function connect(steps: readonly Step[], from: number, to: number): Step[] {
  return setNeeds(steps, to, (needs, names) => [...needs, names[from] as string])
}

/** The step at `to` no longer waits for the one at `from`. */
export function disconnect(steps: readonly Step[], from: number, to: number): Step[] {
  const next = setNeeds(steps, to, (needs, names) => needs.filter((name) => name !== names[from]))
  const name = textOf(next[to] as Step, 'name')
  return next.map((step, index) => (index === from && step.type === 'branch' ? withoutSides(step, name) : step))
}

function setNeeds(steps: readonly Step[], at: number, change: (needs: string[], names: string[]) => string[]): Step[] {
  const next = withNeeds(steps)
  const names = next.map((step) => textOf(step, 'name'))
  return next.map((step, index) => (index === at ? { ...step, needs: [...new Set(change(textsOf(step.needs), names))] } : step))
}

/** Whether a link from one to the other would close a circle. */
export function closesCircle(steps: readonly Step[], from: number, to: number): boolean {
  return from === to || stepsAfter(linksOf(steps), to).has(from)
}

/**
 * The step is put after the one at `after` (-1: at the end of a plain list, without needs in a graph). With
 * `before`, it goes onto the link between both.
 */
export function insertAfter(steps: readonly Step[], step: Step, after: number, before = -1): { steps: Step[]; index: number } {
  const index = after < 0 ? steps.length : after + 1
  if (isPlainList(steps)) return { steps: [...steps.slice(0, index), step, ...steps.slice(index)], index }
  const linked = before < 0 ? steps : disconnect(steps, after, before)
  const needs = after < 0 ? [] : [textOf(linked[after] as Step, 'name')]
  const inserted = [...linked.slice(0, index), { ...step, needs }, ...linked.slice(index)]
  return { steps: before < 0 ? inserted : connect(inserted, index, before < index ? before : before + 1), index }
}

/** A step that runs beside the one at `index`: it needs the same, and nothing needs it yet. */
export function insertBeside(steps: readonly Step[], step: Step, beside: number): { steps: Step[]; index: number } {
  const next = withNeeds(steps)
  const needs = textsOf((next[beside] as Step).needs)
  const index = beside + 1
  return { steps: [...next.slice(0, index), { ...step, needs }, ...next.slice(index)], index }
}

/** Without the step: what needed it needs what it needed. */
export function remove(steps: readonly Step[], at: number): Step[] {
  const gone = steps[at]
  if (!gone) return [...steps]
  const rest = steps.filter((_step, index) => index !== at)
  const name = textOf(gone, 'name')
  if (isPlainList(steps) || !name) return rest
  return rest.map((step) => {
    const needs = textsOf(step.needs)
    const next = needs.includes(name) ? { ...step, needs: [...new Set(needs.flatMap((need) => (need === name ? textsOf(gone.needs) : [need])))] } : step
    return next.type === 'branch' ? withoutSides(next, name) : next
  })
}

/**
 * The step that was removed from `before` at this place, back among the steps as they are now. References
 * to it come back where nobody has changed them since.
 */
export function putBack(steps: readonly Step[], before: readonly Step[], at: number): Step[] {
  const gone = before[at]
  if (!gone) return [...steps]
  const without = remove(before, at)
  const next = steps.map((step) => {
    const then = before.find((other) => other !== gone && textOf(other, 'name') === textOf(step, 'name'))
    const now = without.find((other) => textOf(other, 'name') === textOf(step, 'name'))
    if (!then || !now) return step
    const back = [...REFERENCES].filter((field) => same(step[field], now[field]) && !same(now[field], then[field]))
    return back.length ? { ...step, ...Object.fromEntries(back.map((field) => [field, then[field]])) } : step
  })
  const index = Math.min(at, next.length)
  return [...next.slice(0, index), gone, ...next.slice(index)]
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function withoutSides(branch: Step, name: string): Step {
  const next = { ...branch }
  for (const side of ['then', 'else'] as const) {
    const names = textsOf(branch[side])
    if (names.includes(name)) next[side] = names.filter((other) => other !== name)
  }
  return next
}

/** The new name also where other steps refer to the old one: needs, sides of branches, and `steps.NAME` in texts. */
export function rename(steps: readonly Step[], at: number, name: string): Step[] {
  const old = textOf(steps[at] ?? {}, 'name')
  // Of two steps with one name, references mean the first; an empty or taken name refers to nothing.
  const isReferred = old !== '' && name !== '' && placesOf(steps).get(old) === at && !placesOf(steps).has(name)
  return steps.map((step, index) => {
    const next = isReferred ? (renamedIn(step, old, name) as Step) : step
    return index === at ? { ...next, name } : next
  })
}

const NAME_CHARACTER = '[\\p{L}\\p{Nd}_-]'
/** Another name stands in brackets. */
const IS_WORD = /^[\p{L}\p{Nd}_-]+$/u

/** A text, or all texts of what the step holds, with the reference renamed. */
export function renamedIn(value: unknown, old: string, name: string): unknown {
  const path = new RegExp(`\\bsteps(?:\\.${escaped(old)}(?!${NAME_CHARACTER})|\\["${escaped(old)}"\\])`, 'gu')
  // In a replacement, `$` would mean something else.
  const reference = () => (IS_WORD.test(name) ? `steps.${name}` : `steps["${name}"]`)
  const renamed = (item: unknown): unknown => {
    if (typeof item === 'string') return item.replace(path, reference)
    if (Array.isArray(item)) return item.map(renamed)
    if (typeof item !== 'object' || item === null) return item
    return Object.fromEntries(Object.entries(item).map(([key, field]) => [key, REFERENCES.has(key) ? renamedNames(field) : renamed(field)]))
  }
  const renamedNames = (field: unknown): unknown => (Array.isArray(field) ? field.map((item) => (item === old ? name : (item as unknown))) : field === old ? name : renamed(field))
  return renamed(value)
}

const REFERENCES = new Set(['needs', 'then', 'else'])

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
