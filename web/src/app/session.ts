import { useQueryCache } from '@pinia/colada'
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, body, onSessionEnded, setCsrfToken, type Schemas } from '@/api/client'

export type Role = 'viewer' | 'editor' | 'admin'
const RANKS: Record<Role, number> = { viewer: 0, editor: 1, admin: 2 }

type Session = Schemas['ConsoleSession']

/** Who uses the console. The session itself is a cookie that no script can read. */
export const useSession = defineStore('session', () => {
  const session = ref<Session | null>(null)
  /** The session ended while the console was open: forms stay as they are behind the login. */
  const expired = ref(false)
  const cache = useQueryCache()

  const username = computed(() => session.value?.username ?? '')
  const role = computed<Role>(() => (session.value?.role as Role) ?? 'viewer')
  const isLoggedIn = computed(() => session.value !== null)

  onSessionEnded(() => {
    if (session.value) expired.value = true
  })

  function use(next: Session | null): void {
    session.value = next
    setCsrfToken(next?.csrf_token ?? '')
    expired.value = false
  }

  /** Take up the session of the cookie, where there is one. */
  async function restore(): Promise<void> {
    try {
      use(body(await api.GET('/api/session')).data)
    } catch {
      use(null)
    }
  }

  /** Throws an ApiError with the platform's sentence. */
  async function logIn(credentials: { username: string; password: string } | { token: string }): Promise<void> {
    const before = username.value
    use(body(await api.POST('/api/session', { body: credentials })).data)
    if (before !== username.value) cache.getEntries().forEach((entry) => cache.remove(entry))
    else await cache.invalidateQueries()
  }

  async function logOut(): Promise<void> {
    await api.POST('/api/logout')
    use(null)
    cache.getEntries().forEach((entry) => cache.remove(entry))
  }

  function has(required: Role, inWorkspace: Role = 'viewer'): boolean {
    return Math.max(RANKS[role.value], RANKS[inWorkspace]) >= RANKS[required]
  }

  return { session, username, role, isLoggedIn, expired, restore, logIn, logOut, has }
})
