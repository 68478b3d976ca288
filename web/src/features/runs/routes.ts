import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'runs', name: 'runs', component: () => import('./RunsPage.vue'), meta: { title: 'app.nav.runs', section: 'runs', texts: ['definition_runs'] } },
  { path: 'runs/:run', name: 'run', component: () => import('./RunPage.vue'), meta: { title: 'app.nav.runs', section: 'runs', texts: ['definition_runs'] } },
]
