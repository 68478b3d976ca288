/** What a schedule or a trigger runs, as its form holds it. */
export interface TargetFields {
  kind: 'workflow' | 'agent'
  key: string
  /** `served` is what the first environment serves. */
  choice: 'served' | 'env' | 'version'
  env: string
  version: string
  variables: Record<string, unknown> | null
}

/** The same, as the API has it. */
export interface Target {
  workflow?: string | null
  agent?: string | null
  version?: number | null
  env?: string | null
  variables?: Record<string, unknown>
}

export function targetFields(target?: Target | null): TargetFields {
  return {
    kind: target?.agent ? 'agent' : 'workflow',
    key: target?.agent ?? target?.workflow ?? '',
    choice: target?.version ? 'version' : target?.env ? 'env' : 'served',
    env: target?.env ?? '',
    version: target?.version ? String(target.version) : '',
    variables: target?.variables && Object.keys(target.variables).length ? target.variables : null,
  }
}

export function targetOf({ kind, key, choice, env, version, variables }: TargetFields) {
  const chosen = choice === 'env' ? { env } : choice === 'version' ? { version: Number(version) } : {}
  return { [kind]: key, ...chosen, variables: variables ?? {} }
}

/** `greet · prod`, `greet · v3`, `greet`. */
export function targetText(target: Target): string {
  return [target.workflow ?? target.agent, target.version ? `v${target.version}` : target.env].filter(Boolean).join(' · ')
}
