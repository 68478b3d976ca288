/** A step as it is stored: fields that this console does not know are kept. */
export type Step = Record<string, unknown>

/** That one step runs after another, by their places in the list. */
export interface StepLink {
  from: number
  to: number
  /** Only if the branch at `from` takes this side. */
  side?: 'then' | 'else'
}

export function textOf(step: Step, field: string): string {
  const value = step[field]
  return typeof value === 'string' ? value : ''
}

/** The texts of a list; one text alone is a list of one. */
export function textsOf(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  return list.filter((item): item is string => typeof item === 'string' && item !== '')
}

/** Whether each step runs after the one before it, because none says what it needs. */
export function isPlainList(steps: readonly Step[]): boolean {
  return steps.every((step) => step.needs === undefined || step.needs === null)
}

/** Which step runs after which: by the order of a plain list, else by `needs` and the sides of branches. */
export function linksOf(steps: readonly Step[]): StepLink[] {
  if (isPlainList(steps)) return [...steps.slice(1).map((_step, index) => ({ from: index, to: index + 1 }))].map((link) => ({ ...link, ...sideOf(steps, link) }))
  const places = placesOf(steps)
  const links = steps.flatMap((step, to) => textsOf(step.needs).flatMap((name): StepLink[] => {
    const from = places.get(name)
    return from === undefined ? [] : [{ from, to }]
  }))
  const labelled = links.map((link) => ({ ...link, ...sideOf(steps, link) }))
  return [...labelled, ...sideLinks(steps, places).filter((side) => !links.some((link) => link.from === side.from && link.to === side.to))]
}

/** Where each name stands; of two steps with one name, the first. */
export function placesOf(steps: readonly Step[]): Map<string, number> {
  const places = new Map<string, number>()
  steps.forEach((step, index) => {
    const name = textOf(step, 'name')
    if (name && !places.has(name)) places.set(name, index)
  })
  return places
}

function sideOf(steps: readonly Step[], { from, to }: StepLink): Pick<StepLink, 'side'> {
  const branch = steps[from]
  const name = textOf(steps[to] as Step, 'name')
  if (branch?.type !== 'branch' || !name) return {}
  for (const side of ['then', 'else'] as const) if (textsOf(branch[side]).includes(name)) return { side }
  return {}
}

function sideLinks(steps: readonly Step[], places: Map<string, number>): StepLink[] {
  return steps.flatMap((step, from) => (step.type !== 'branch' ? [] : (['then', 'else'] as const).flatMap((side) => textsOf(step[side]).flatMap((name): StepLink[] => {
    const to = places.get(name)
    return to === undefined ? [] : [{ from, to, side }]
  }))))
}

/** All that can only run after `start`, directly or by others. */
export function stepsAfter(links: readonly StepLink[], start: number): Set<number> {
  const after = new Set<number>()
  const open = [start]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const { from, to } of links) {
      if (from === at && !after.has(to)) {
        after.add(to)
        open.push(to)
      }
    }
  }
  return after
}
