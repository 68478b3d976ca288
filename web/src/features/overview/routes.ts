import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'overview', name: 'overview', component: () => import('./OverviewPage.vue'), meta: { title: 'app.nav.overview', section: 'overview' } },
]
