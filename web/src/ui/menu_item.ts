import type { Component } from 'vue'

export interface MenuItem {
  label: string
  icon?: Component
  keys?: string
  danger?: boolean
  /** Why it can't be used now. */
  reason?: string
  checked?: boolean
  run: () => void
}
