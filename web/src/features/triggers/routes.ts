import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'triggers', name: 'triggers', component: () => import('./TriggersPage.vue'), meta: { title: 'app.nav.triggers', section: 'triggers', texts: ['definition_runs'] } },
]
