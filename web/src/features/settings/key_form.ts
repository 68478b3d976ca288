export const KEY_ROLES = ['sdk', 'viewer', 'editor', 'admin', 'metrics'] as const
export type KeyRole = (typeof KEY_ROLES)[number]
export const EXPIRIES = ['never', '30', '90', '365', 'date'] as const
export type Expiry = (typeof EXPIRIES)[number]
const DAY_MS = 86_400_000

/** When a key ends: days from now, or the end of a day where the user is. Null for never. */
export function expiryOf(expiry: Expiry, date: string, now: Date): string | null {
  if (expiry === 'never') return null
  if (expiry !== 'date') return new Date(now.getTime() + Number(expiry) * DAY_MS).toISOString()
  return new Date(`${date}T23:59:59`).toISOString()
}
