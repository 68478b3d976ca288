import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'workflows', name: 'workflows', component: () => import('./WorkflowsPage.vue'), meta: { title: 'app.nav.workflows', section: 'workflows' } },
  { path: 'workflows/:key', name: 'workflow', component: () => import('./WorkflowPage.vue'), meta: { title: 'app.nav.workflows', section: 'workflows', texts: ['versions', 'inputs'] } },
]
