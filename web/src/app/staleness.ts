/** Which cached queries an event makes stale: by the first part of its type, the first part of their keys. */
const STALE: Record<string, string[]> = {
  prompt: ['prompts', 'prompt-facets', 'rollouts', 'change-requests', 'audit'],
  rollout: ['rollouts', 'prompts', 'prompt-facets', 'change-requests', 'audit'],
  agent: ['agents', 'change-requests', 'audit'],
  workflow: ['workflows', 'change-requests', 'audit'],
  provider: ['providers', 'audit'],
  // With a workspace or a user, what belongs to them goes.
  workspace: ['workspaces', 'members', 'providers', 'keys', 'audit'],
  environment: ['workspaces', 'environments', 'change-requests', 'audit'],
  change_request: ['change-requests', 'audit'],
  user: ['users', 'workspaces', 'members', 'keys', 'audit'],
  key: ['keys', 'audit'],
  trigger: ['triggers', 'audit'],
  schedule: ['schedules', 'audit'],
  // An approval waits and is decided as its run is.
  run: ['runs', 'run-strip', 'overview', 'approvals', 'schedules'],
}
const GATHER_MS = 80
/** What changes all the time is fetched again no more often than this. */
const PAUSE_MS: Record<string, number> = { runs: 1_000, approvals: 2_000, schedules: 2_000, 'run-strip': 5_000, 'prompt-facets': 2_000, overview: 5_000 }

/** The first parts of the keys that an event makes stale. */
export function staleAfter(type: string): string[] {
  return STALE[type.split('.')[0] ?? ''] ?? []
}

/**
 * Hands stale keys to `refetch`: at the first event at once, then as often as the pause of its key
 * allows. A publish of a whole folder is two refetches, not hundreds.
 */
export function pacedRefetch(refetch: (key: string) => void) {
  const timers = new Map<string, number>()
  const refetchedAt = new Map<string, number>()

  function mark(key: string): void {
    if (timers.has(key)) return
    const wait = (refetchedAt.get(key) ?? -Infinity) + (PAUSE_MS[key] ?? GATHER_MS) - performance.now()
    if (wait > 0) timers.set(key, window.setTimeout(() => { timers.delete(key); start(key) }, wait))
    else start(key)
  }

  function start(key: string): void {
    refetchedAt.set(key, performance.now())
    refetch(key)
  }

  /** Drop what waits: everything is fetched again anyway. */
  function clear(): void {
    for (const timer of timers.values()) window.clearTimeout(timer)
    timers.clear()
  }

  return { mark, clear }
}
