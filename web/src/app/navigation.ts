import { Bot, ChartNoAxesColumn, FileClock, FlaskConical, ListTree, Monitor, Server, Settings, Split, SquareTerminal, Workflow } from '@lucide/vue'
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
  { section: 'overview', route: 'overview', label: 'app.nav.overview', icon: ChartNoAxesColumn, key: 'o' },
  { section: 'prompts', route: 'prompts', label: 'app.nav.prompts', icon: SquareTerminal, key: 'p' },
  { section: 'agents', route: 'agents', label: 'app.nav.agents', icon: Bot, key: 'a' },
  { section: 'workflows', route: 'workflows', label: 'app.nav.workflows', icon: Workflow, key: 'w' },
  { section: 'playground', route: 'playground', label: 'app.nav.playground', icon: FlaskConical, key: 'l' },
  { section: 'runs', route: 'runs', label: 'app.nav.runs', icon: ListTree, key: 'r' },
]

export const OPERATE: Place[] = [
  { section: 'clients', route: 'clients', label: 'app.nav.clients', icon: Monitor, key: 'c' },
  { section: 'rollouts', route: 'rollouts', label: 'app.nav.rollouts', icon: Split, key: 't' },
  { section: 'audit', route: 'audit', label: 'app.nav.audit', icon: FileClock, key: 'u' },
  { section: 'system', route: 'system', label: 'app.nav.system', icon: Server, key: 'y' },
]

export const SETTINGS: Place = { section: 'settings', route: 'settings', label: 'app.nav.settings', icon: Settings, key: 's' }
export const PLACES = [...BUILD, ...OPERATE, SETTINGS]
