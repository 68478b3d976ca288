export interface EnvironmentItem {
  name: string
  protected: boolean
  /** How many others approve a change of what it serves. */
  approvals?: number
  /** Whether an admin may do without. */
  allow_bypass?: boolean
}

/** The list with one item at another place; the same list where that changes nothing. */
export function moved(items: EnvironmentItem[], from: number, to: number): EnvironmentItem[] {
  const item = items[from]
  if (!item || from === to || to < 0 || to >= items.length) return items
  return items.toSpliced(from, 1).toSpliced(to, 0, item)
}
