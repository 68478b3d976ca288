import type { RouteRecordRaw } from 'vue-router'

import { prepareKeyList } from './key_list'

export const routes: RouteRecordRaw[] = [
  { path: 'prompts', name: 'prompts', component: () => import('./PromptsPage.vue'), meta: { title: 'app.nav.prompts', section: 'prompts', prepare: prepareKeyList } },
  { path: 'prompts/:key', name: 'prompt', component: () => import('./PromptPage.vue'), meta: { title: 'app.nav.prompts', section: 'prompts', texts: ['versions'] } },
]
