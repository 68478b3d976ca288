import { FileClock, ListTree, Monitor, SquareTerminal } from '@lucide/vue'
import type { Component } from 'vue'

export interface Place {
  section: string
  /** Name of the route. */
  route: string
  label: string
  icon: Component
  /** Goes there after `g`. */
  key: string
}

export const BUILD: Place[] = [
  { section: 'prompts', route: 'prompts', label: 'app.nav.prompts', icon: SquareTerminal, key: 'p' },
  { section: 'runs', route: 'runs', label: 'app.nav.runs', icon: ListTree, key: 'r' },
]

export const OPERATE: Place[] = [
  { section: 'clients', route: 'clients', label: 'app.nav.clients', icon: Monitor, key: 'c' },
  { section: 'audit', route: 'audit', label: 'app.nav.audit', icon: FileClock, key: 'u' },
]

export const PLACES = [...BUILD, ...OPERATE]
