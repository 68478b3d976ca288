import { Activity, Bot, Boxes, CalendarClock, CircleDollarSign, FileClock, FlaskConical, GitPullRequest, Inbox, KeyRound, Layers, ListTree, Monitor, Plug, Server, Settings, SlidersHorizontal, SquareTerminal, User, UserCog, Users, Workflow, Zap } from '@lucide/vue'
import type { Component } from 'vue'

import type { Role } from './session'

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
  { section: 'overview', route: 'overview', label: 'app.nav.overview', icon: Activity, key: 'o' },
  { section: 'prompts', route: 'prompts', label: 'app.nav.prompts', icon: SquareTerminal, key: 'p' },
  { section: 'agents', route: 'agents', label: 'app.nav.agents', icon: Bot, key: 'a' },
  { section: 'workflows', route: 'workflows', label: 'app.nav.workflows', icon: Workflow, key: 'w' },
  { section: 'playground', route: 'playground', label: 'app.nav.playground', icon: FlaskConical, key: 'y' },
  { section: 'runs', route: 'runs', label: 'app.nav.runs', icon: ListTree, key: 'r' },
]

export const OPERATE: Place[] = [
  { section: 'clients', route: 'clients', label: 'app.nav.clients', icon: Monitor, key: 'c' },
  { section: 'rollouts', route: 'rollouts', label: 'app.nav.rollouts', icon: SlidersHorizontal, key: 'l' },
  { section: 'schedules', route: 'schedules', label: 'app.nav.schedules', icon: CalendarClock, key: 'h' },
  { section: 'triggers', route: 'triggers', label: 'app.nav.triggers', icon: Zap, key: 't' },
  { section: 'approvals', route: 'approvals', label: 'app.nav.approvals', icon: Inbox, key: 'i' },
  { section: 'change-requests', route: 'change-requests', label: 'app.nav.changeRequests', icon: GitPullRequest, key: 'q' },
  { section: 'audit', route: 'audit', label: 'app.nav.audit', icon: FileClock, key: 'u' },
]

/** At the bottom of the rail. */
export const BOTTOM: Place[] = [
  { section: 'settings', route: 'settings', label: 'app.nav.settings', icon: Settings, key: 's' },
  { section: 'system', route: 'system', label: 'app.nav.system', icon: Server, key: 'm' },
]

export const PLACES = [...BUILD, ...OPERATE, ...BOTTOM]

/** A page of the settings: a route with `meta.settings`, of any feature. */
export interface SettingsPlace {
  group: 'personal' | 'workspace' | 'installation'
  route: string
  label: string
  icon: Component
  /** The lowest role that sees its contents; of `global` pages the role within a workspace does not count. */
  role: Role
  global?: boolean
}

export const SETTINGS: SettingsPlace[] = [
  { group: 'personal', route: 'settings-account', label: 'app.settings.account', icon: User, role: 'viewer' },
  { group: 'workspace', route: 'settings-environments', label: 'app.settings.environments', icon: Layers, role: 'viewer' },
  { group: 'workspace', route: 'settings-members', label: 'app.settings.members', icon: Users, role: 'viewer' },
  { group: 'workspace', route: 'settings-providers', label: 'app.settings.providers', icon: Plug, role: 'viewer' },
  { group: 'workspace', route: 'settings-keys', label: 'app.settings.keys', icon: KeyRound, role: 'admin' },
  { group: 'installation', route: 'settings-workspaces', label: 'app.settings.workspaces', icon: Boxes, role: 'viewer' },
  { group: 'installation', route: 'settings-users', label: 'app.settings.users', icon: UserCog, role: 'admin', global: true },
  { group: 'installation', route: 'settings-prices', label: 'app.settings.prices', icon: CircleDollarSign, role: 'viewer' },
]
