import { reactive, readonly } from 'vue'

export interface Toast {
  id: number
  text: string
  kind: 'done' | 'failed'
  action?: { label: string; run: () => unknown }
  /** How long it stays, in ms; its action can be taken for as long. */
  duration: number
}

const FOR_READING_MS = 4_000
export const FOR_UNDO_MS = 10_000
const list = reactive<Toast[]>([])
let next = 1

export const toasts = readonly(list)

/** Say what was done, for a few seconds, with the way back where there is one. */
export function notify(text: string, action?: Toast['action']): void {
  add({ text, kind: 'done', action, duration: action ? FOR_UNDO_MS : FOR_READING_MS })
}

/** Say what failed, in the platform's own sentence. */
export function notifyFailure(error: unknown, unreachable: string): void {
  const failure = error as Error & { status?: number }
  // A change that became a request has not failed.
  if (failure.status === 202) return
  add({ text: failure.status === 0 ? unreachable : failure.message, kind: 'failed', duration: FOR_UNDO_MS })
}

export function dismiss(id: number): void {
  const index = list.findIndex((toast) => toast.id === id)
  if (index >= 0) list.splice(index, 1)
}

function add(toast: Omit<Toast, 'id'>): void {
  const id = next++
  list.push({ ...toast, id })
  window.setTimeout(() => dismiss(id), toast.duration)
}
