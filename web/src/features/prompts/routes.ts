import type { RouteRecordRaw } from 'vue-router'

export const routes: RouteRecordRaw[] = [
  { path: 'prompts', name: 'prompts', component: () => import('./PromptsPage.vue'), meta: { title: 'app.nav.prompts', section: 'prompts' } },
  { path: 'prompts/:key', name: 'prompt', component: () => import('./PromptPage.vue'), meta: { title: 'app.nav.prompts', section: 'prompts' } },
]
