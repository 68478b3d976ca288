import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'playground', name: 'playground', component: () => import('./PlaygroundPage.vue'), meta: { title: 'app.nav.playground', section: 'playground' } },
]
