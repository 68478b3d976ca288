import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'system', name: 'system', component: () => import('./SystemPage.vue'), meta: { title: 'app.nav.system', section: 'system' } },
  { path: 'prices', name: 'settings-prices', component: () => import('./PricesPage.vue'), meta: { title: 'app.settings.prices', section: 'settings', settings: true } },
]
