/** The draft, or a version of a prompt, an agent or a workflow. */
export interface TimelineEntry {
  /** The version; empty for the draft. */
  value: string
  label: string
  note: string
  at: string
  /** The environments that serve it. */
  envs: string[]
  kind: 'draft' | 'live' | 'past'
}
