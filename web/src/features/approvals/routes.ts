import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'approvals', name: 'approvals', component: () => import('./ApprovalsPage.vue'), meta: { title: 'app.nav.approvals', section: 'approvals', texts: ['inputs'] } },
]
