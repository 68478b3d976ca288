import { Bot, Braces, CaseSensitive, CircleHelp, Cpu, GitBranch, Globe, Layers, UserCheck, Workflow } from '@lucide/vue'
import type { Component } from 'vue'

const ICONS: Record<string, Component> = { render: Braces, model: Cpu, transform: CaseSensitive, http: Globe, agent: Bot, workflow: Workflow, map: Layers, branch: GitBranch, approval: UserCheck }

/** The icon of a type of steps; of a newer one, a question mark. */
export function iconOf(type: unknown): Component {
  return ICONS[String(type)] ?? CircleHelp
}
