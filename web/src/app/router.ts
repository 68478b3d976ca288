import { createRouter, createWebHistory, type RouteLocationNormalized, type RouteRecordRaw } from 'vue-router'

import { BASE } from '@/api/base'

import { loadPageMessages, preloadMessages } from './i18n'
import { useSession } from './session'
import { rememberedWorkspace } from './workspace'

/** What decides on the contents of a page. */
export type PageAddress = Pick<RouteLocationNormalized, 'params' | 'query'>

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's name in the messages. */
    title?: string
    /** Which entry of the rail it belongs to. */
    section?: string
    /** Shown without a session and without the frame. */
    bare?: boolean
    /** The folders of its texts; a feature names those besides its own, such as `versions`. */
    texts?: string[]
    /** A page of the settings, listed in their navigation. */
    settings?: boolean
    /** Begins the page's first request, at the same time as its script is loaded; resolves with the answer or the failure. */
    prepare?: (to: PageAddress) => Promise<unknown>
  }
}

const PATIENCE_MS = 100
const features = import.meta.glob<{ routes: RouteRecordRaw[] }>('/src/features/*/routes.ts', { eager: true })
const bare: RouteRecordRaw[] = []
const framed: RouteRecordRaw[] = []
const settings: RouteRecordRaw[] = []
for (const [path, { routes }] of Object.entries(features)) {
  const feature = path.split('/').at(-2) ?? ''
  for (const route of routes.map((one) => ({ ...one, meta: { ...one.meta, texts: [feature, ...(one.meta?.texts ?? [])] } }))) (route.meta?.bare ? bare : route.meta?.settings ? settings : framed).push(route)
}

/** Pages stand below their workspace, `/w/default/prompts`, so that a link leads to the same place for everybody. */
export const router = createRouter({
  history: createWebHistory(BASE),
  routes: [
    ...bare,
    { path: '/', redirect: () => `/w/${rememberedWorkspace()}/overview` },
    {
      path: '/w/:workspace',
      component: () => import('./shell/Shell.vue'),
      children: [
        { path: '', redirect: { name: 'overview' } },
        ...framed,
        { path: 'settings', name: 'settings', redirect: { name: 'settings-account' }, component: () => import('./shell/SettingsFrame.vue'), children: settings },
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

let prepared: Promise<unknown> | undefined

router.beforeEach((to, from) => {
  // Later the page asks by itself.
  const isOtherPage = to.name !== from.name || to.params.workspace !== from.params.workspace
  prepared = isOtherPage ? to.meta.prepare?.(to) : undefined
})
// With an answer that comes within a moment the page is drawn once instead of twice.
router.beforeResolve(async () => {
  if (prepared) await Promise.race([prepared, new Promise((resolve) => window.setTimeout(resolve, PATIENCE_MS))])
})

// The texts of a page come at the same time as its script, and are there before it is shown.
router.beforeEach(({ meta }) => {
  if (meta.texts) loadPageMessages(meta.texts).catch(() => undefined)
})
router.beforeResolve(({ meta }) => (meta.texts ? loadPageMessages(meta.texts) : undefined))

/** Load what the pages of these routes need, one after the other, so that each opens at once. */
export async function preloadPages(names: string[]): Promise<void> {
  const texts = new Set<string>()
  for (const name of names) {
    const { matched } = router.resolve({ name, params: { workspace: rememberedWorkspace() } })
    for (const { components, meta } of matched) {
      meta.texts?.forEach((folder) => texts.add(folder))
      const load = components?.default
      if (typeof load === 'function') await (load as () => Promise<unknown>)()
    }
  }
  await preloadMessages([...texts])
}
