import { useQueryCache } from '@pinia/colada'
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, body, onSessionEnded, setCsrfToken, type Schemas } from '@/api/client'

export type Role = 'viewer' | 'editor' | 'admin'
export const ROLES: readonly Role[] = ['viewer', 'editor', 'admin']

/** Whether a role includes the rights of `required`. */
export function includes(role: Role, required: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(required)
}

type Session = Schemas['ConsoleSession']

/** Who uses the console. The session itself is a cookie that no script can read. */
export const useSession = defineStore('session', () => {
  const session = ref<Session | null>(null)
  /** The session ended while the console was open: forms stay as they are behind the login. */
  const expired = ref(false)
  /** The account of a new installation still has the password that everybody knows; asked before a login. */
  const hasDefaultAccount = ref(false)
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
      const state = body(await api.GET('/api/session'))
      hasDefaultAccount.value = state.default_account
      use(state.data)
    } catch {
      use(null)
    }
  }

  /** Learn of other rights. Where the session has ended, the next request notices. */
  async function refresh(): Promise<void> {
    const current = body(await api.GET('/api/session')).data
    if (current && session.value) session.value = current
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
    await leave()
  }

  /** End all sessions of the account, perhaps but for this one; returns how many. */
  async function signOutEverywhere(keepCurrent: boolean): Promise<number> {
    const { ended } = body(await api.DELETE('/api/me/sessions', { params: { query: { keep_current: keepCurrent } } })).data
    if (!keepCurrent) await leave()
    return ended
  }

  async function leave(): Promise<void> {
    use(null)
    cache.getEntries().forEach((entry) => cache.remove(entry))
    await restore()
  }

  /** Whether the user's own role is enough for what concerns no single workspace. */
  function has(required: Role): boolean {
    return includes(role.value, required)
  }

  return { session, hasDefaultAccount, username, role, isLoggedIn, expired, restore, refresh, logIn, logOut, signOutEverywhere, has }
})
