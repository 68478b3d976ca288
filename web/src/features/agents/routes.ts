import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'agents', name: 'agents', component: () => import('./AgentsPage.vue'), meta: { title: 'app.nav.agents', section: 'agents' } },
  { path: 'agents/:key', name: 'agent', component: () => import('./AgentPage.vue'), meta: { title: 'app.nav.agents', section: 'agents', texts: ['versions'] } },
]
