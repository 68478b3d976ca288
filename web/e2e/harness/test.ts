import AxeBuilder from '@axe-core/playwright'
import { expect, test as base, type BrowserContext, type Page } from '@playwright/test'

import { Api } from './api.ts'
import { measure, Observed } from './observed_page.ts'

export { expect, type Page }
export type Role = 'viewer' | 'editor' | 'admin'

interface Fixtures {
  /** The API with the static token. */
  api: Api
  /** A workspace of this test's own. */
  workspace: string
  /** What the page must not do, checked at the end of each test. */
  observed: Observed
  /** Log the browser in as somebody with this role, and answer the API of the same person. */
  logIn: (role?: Role) => Promise<Api>
  /** A second window of somebody else, logged in with this role. */
  otherWindow: (role?: Role) => Promise<Page>
}

let counter = 0

/** A name that no other test uses. */
export function unique(name: string): string {
  return `${name}-${process.pid.toString(36)}${Date.now().toString(36)}${counter++}`
}

export const test = base.extend<Fixtures>({
  baseURL: async ({}, use) => use(process.env.PROMPTOPS_BROWSER_URL),
  api: async ({ baseURL }, use) => use(new Api(baseURL as string)),
  workspace: async ({ api }, use) => {
    const { slug } = await api.post<{ slug: string }>('/api/workspaces', { name: unique('Team'), slug: unique('team') })
    await use(slug)
  },
  observed: [
    async ({ page }, use) => {
      await page.addInitScript(measure)
      const observed = new Observed(page)
      await use(observed)
      expect(observed.unexpected).toEqual([])
      if (!page.isClosed() && page.url() !== 'about:blank') await observed.expectCalm()
    },
    { auto: true },
  ],
  logIn: async ({ context, api }, use) => use((role = 'admin') => logIn(context, api, role)),
  otherWindow: async ({ browser, api, baseURL }, use) => {
    const contexts: BrowserContext[] = []
    await use(async (role = 'admin') => {
      const context = await browser.newContext({ baseURL, locale: 'en-US', reducedMotion: 'reduce', viewport: { width: 1440, height: 900 } })
      contexts.push(context)
      await logIn(context, api, role)
      return context.newPage()
    })
    await Promise.all(contexts.map((context) => context.close()))
  },
})

async function logIn(context: BrowserContext, api: Api, role: Role): Promise<Api> {
  const { key } = await api.post<{ key: string }>('/api/keys', { name: unique(role), role })
  const answer = await context.request.post('/api/session', { data: { token: key } })
  expect(answer.ok(), await answer.text()).toBe(true)
  return new Api(api.url, key)
}

/** Nothing on the page that keeps people with disabilities out, as axe finds it. */
export async function expectAccessible(page: Page): Promise<void> {
  // Menus and tooltips are drawn at the page's end, outside its landmarks, and belong to the control that opened them.
  // The console has no frames, so axe needs no second page to put their results together (`setLegacyMode`); and it
  // need not find a selector for everything that passes. Together these double its time.
  const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).disableRules('region').setLegacyMode()
  const { violations } = await axe.analyze()
  expect.soft(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary ?? ''}`).join('; ')}`), page.url()).toEqual([])
}
