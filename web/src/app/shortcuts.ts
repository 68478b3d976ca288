import { onScopeDispose, reactive } from 'vue'

import { holdKeys } from './held_keys'

export interface Shortcut {
  /** Such as `c`, `?`, `mod+k` (Ctrl, on a Mac Cmd), `g p` (one after the other). */
  keys: string
  /** What it does, in the user's language. */
  label: () => string
  run: (event: KeyboardEvent) => void
  /** Whether it works while something is typed into a field. */
  inFields?: boolean
  enabled?: () => boolean
  /** Whether it opens a dialog in which one types at once. */
  opensField?: boolean
}

const active = reactive<Shortcut[]>([])
const PAUSE_MS = 900
let pending = ''
let pendingSince = 0

/** All shortcuts of what is on the page now, for the help under `?`. */
export function activeShortcuts(): Shortcut[] {
  return active.filter((shortcut) => shortcut.enabled?.() ?? true)
}

/** The shortcuts hold for as long as the component lives. Later ones win over earlier ones. */
export function useShortcuts(shortcuts: Shortcut[]): void {
  active.push(...shortcuts)
  onScopeDispose(() => {
    for (const shortcut of shortcuts) {
      const index = active.findIndex((one) => one.keys === shortcut.keys && one.run === shortcut.run)
      if (index >= 0) active.splice(index, 1)
    }
  })
}

export function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return
  const pressed = nameOf(event)
  if (!pressed) return
  const now = performance.now()
  const sequence = now - pendingSince < PAUSE_MS && pending ? `${pending} ${pressed}` : ''
  const inField = isField(event)
  const shortcut = [...active]
    .reverse()
    .find((one) => (one.keys === sequence || one.keys === pressed) && (one.inFields || !inField) && (one.enabled?.() ?? true))
  pending = inField ? '' : pressed
  pendingSince = now
  if (!shortcut) return
  event.preventDefault()
  pending = ''
  if (shortcut.opensField) holdKeys()
  shortcut.run(event)
}

function nameOf(event: KeyboardEvent): string {
  if (['Control', 'Meta', 'Shift', 'Alt'].includes(event.key)) return ''
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const mod = event.ctrlKey || event.metaKey ? 'mod+' : ''
  const alt = event.altKey ? 'alt+' : ''
  const shift = event.shiftKey && event.key.length > 1 ? 'shift+' : ''
  return `${mod}${alt}${shift}${key}`
}

function isField(event: KeyboardEvent): boolean {
  // The path leads into shadow roots, in which the editors live.
  const target = event.composedPath()[0]
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}
