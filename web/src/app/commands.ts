import { onScopeDispose, reactive } from 'vue'
import type { Component } from 'vue'

export interface Command {
  label: string
  icon?: Component
  run: () => void
}

const active = reactive<Command[]>([])

export function activeCommands(): readonly Command[] {
  return active
}

/** Actions of the page that is open, offered in the palette while it is. */
export function useCommands(commands: Command[]): void {
  active.push(...commands)
  onScopeDispose(() => {
    for (const command of commands) {
      const index = active.findIndex((one) => one.run === command.run)
      if (index >= 0) active.splice(index, 1)
    }
  })
}
