import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'rollouts', name: 'rollouts', component: () => import('./RolloutsPage.vue'), meta: { title: 'app.nav.rollouts', section: 'rollouts' } },
  { path: 'prompts/:key/rollout', name: 'rollout', component: () => import('./RolloutPage.vue'), meta: { title: 'rollouts.title', section: 'prompts', texts: ['versions'] } },
]
