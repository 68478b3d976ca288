import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'change-requests', name: 'change-requests', component: () => import('./ChangeRequestsPage.vue'), meta: { title: 'app.nav.changeRequests', section: 'change-requests' } },
  { path: 'change-requests/:id', name: 'change-request', component: () => import('./ChangeRequestPage.vue'), meta: { title: 'change_requests.title', section: 'change-requests', texts: ['versions'] } },
]
