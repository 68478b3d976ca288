import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

import { useSession } from './session'
import { rememberedWorkspace } from './workspace'

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's name in the messages. */
    title?: string
    /** Which entry of the rail it belongs to. */
    section?: string
    /** Shown without a session and without the frame. */
    bare?: boolean
  }
}

const features = import.meta.glob<{ routes: RouteRecordRaw[] }>('/src/features/*/routes.ts', { eager: true })
const bare: RouteRecordRaw[] = []
const framed: RouteRecordRaw[] = []
for (const { routes } of Object.values(features)) {
  for (const route of routes) (route.meta?.bare ? bare : framed).push(route)
}

/** Pages stand below their workspace, `/w/default/prompts`, so that a link leads to the same place for everybody. */
export const router = createRouter({
  history: createWebHistory(),
  routes: [
    ...bare,
    { path: '/', redirect: () => `/w/${rememberedWorkspace()}/prompts` },
    {
      path: '/w/:workspace',
      component: () => import('./shell/Shell.vue'),
      children: [
        { path: '', redirect: { name: 'prompts' } },
        ...framed,
        { path: ':rest(.*)*', name: 'missing', component: () => import('./shell/MissingPage.vue'), meta: { title: 'app.missing.title' } },
      ],
    },
    { path: '/:rest(.*)*', redirect: (to) => `/w/${rememberedWorkspace()}${to.path}` },
  ],
})

router.beforeEach((to) => {
  const session = useSession()
  if (to.meta.bare) return true
  if (!session.isLoggedIn) return { name: 'login', query: { next: to.fullPath } }
  return true
})
