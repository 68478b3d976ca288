import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'clients', name: 'clients', component: () => import('./ClientsPage.vue'), meta: { title: 'app.nav.clients', section: 'clients' } },
]
