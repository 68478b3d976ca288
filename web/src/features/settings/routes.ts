import type { RouteRecordRaw } from 'vue-router'

const page = (name: string, component: RouteRecordRaw['component']): RouteRecordRaw =>
  ({ path: name, name: `settings-${name}`, component, meta: { title: `app.settings.${name}`, section: 'settings', settings: true } }) as RouteRecordRaw

export const routes: RouteRecordRaw[] = [
  page('account', () => import('./AccountPage.vue')),
  page('environments', () => import('./EnvironmentsPage.vue')),
  page('members', () => import('./MembersPage.vue')),
  page('providers', () => import('./ProvidersPage.vue')),
  page('keys', () => import('./KeysPage.vue')),
  page('workspaces', () => import('./WorkspacesPage.vue')),
  page('users', () => import('./UsersPage.vue')),
]
