import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { BrowserContext, Page } from '@playwright/test'

import type { Api, Json } from './harness/api.ts'
import { measure, Observed } from './harness/observed_page.ts'
import { expect, test as base, unique } from './harness/test.ts'

const PAGES = ['dashboard', 'runs', 'flows', 'deployments', 'artifacts', 'automations', 'settings']

const START_MS = 180_000
const LOAD_MS = 90_000

/** A browser that has not seen Prefect before. It ends with the test: an open page of Prefect draws and asks for ever. */
const test = base.extend<{ visitor: BrowserContext }>({
  visitor: async ({ browser }, use) => {
    const visitor = await browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 900 } })
    await use(visitor)
    await visitor.close()
  },
})

test.setTimeout(START_MS + 2 * LOAD_MS)

interface Run { id: string; state: string; cancelled_by: string | null; retry_of: string | null; flow_run_id: string; flow_run_url: string }

/** A run of steps that ask that model; without an answer to wait for, as soon as Prefect has it. */
async function run(api: Api, workspace: string, model = 'mock', body: Json = {}, steps = 1): Promise<Run> {
  const key = unique('greeting')
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, name: key, steps: Array.from({ length: steps }, (_, at) => ({ name: `ask ${at}`, type: 'model', provider: 'mock', model })) })
  // Not all parts of a platform that has just been started are there.
  await expect.poll(async () => (await api.request('GET', '/ready')).body.degraded, { timeout: START_MS }).toEqual([])
  const { run_id: runId } = (await api.request('POST', `/api/workflows/${id}/run`, body)).body as unknown as { run_id: string }
  await expect.poll(async () => (await api.get<Run>(`/api/runs/${runId}`)).flow_run_url, { timeout: START_MS }).toBeTruthy()
  return api.get<Run>(`/api/runs/${runId}`)
}

async function openPrefect(visitor: BrowserContext, url: string): Promise<{ page: Page; observed: Observed }> {
  const page = await visitor.newPage()
  // Ten megabytes of scripts.
  page.setDefaultNavigationTimeout(LOAD_MS)
  await page.addInitScript(measure)
  const observed = new Observed(page)
  observed.origins.add(new URL(url).origin)
  // Before the login, and an icon that Prefect's pages name but do not bring.
  observed.allow(/^401 .*\/api\//, /^404 GET .*\/favicon/, /^console: Error\n.*onResponse/)
  await page.goto(url)
  await expect(page).toHaveURL(/\/login\?/, { timeout: LOAD_MS })
  return { page, observed }
}

async function logIn(page: Page): Promise<void> {
  const credentials = join(process.env.PROMPTOPS_BROWSER_DATA as string, 'prefect', 'credentials')
  await page.getByPlaceholder('admin:pass').fill(readFileSync(credentials, 'utf8').trim())
  await page.getByPlaceholder('admin:pass').press('Enter')
}

/** Press that item of the menu of the flow run on this page, and confirm it. */
async function press(page: Page, name: string, confirm: string): Promise<void> {
  await page.getByRole('button', { name: 'Open menu' }).click()
  await page.getByRole('menuitem', { name, exact: true }).click()
  await page.getByRole('alertdialog').or(page.getByRole('dialog')).getByRole('button', { name: confirm, exact: true }).click()
}

test('the address of a run leads over the login to the run in Prefect', async ({ visitor, api, workspace }) => {
  const { flow_run_url: url, flow_run_id: id, id: runId } = await run(api, workspace)
  const { page, observed } = await openPrefect(visitor, url)

  await logIn(page)

  await expect(page).toHaveURL(new RegExp(`/runs/flow-run/${id}`))
  await expect(page.getByText('Completed').first()).toBeVisible()
  await expect(page.getByRole('link', { name: new RegExp(`/w/${workspace}/runs/${runId}$`) })).toBeVisible()
  // The graph is drawn on a canvas, by code that the policy must let run.
  await expect(page.locator('canvas').first()).toBeVisible()
  expect(observed.unexpected).toEqual([])
})

test('the pages of Prefect ask their own host alone', async ({ visitor, api, workspace }) => {
  const { flow_run_url: url } = await run(api, workspace)
  const { page, observed } = await openPrefect(visitor, new URL('/flows', url).href)
  await logIn(page)
  await expect(page).toHaveURL(/\/flows/)

  for (const name of PAGES) {
    await page.goto(new URL(`/${name}`, url).href)
    await expect(page.getByRole('main').getByText(name).first()).toBeVisible()
    expect(await page.evaluate(() => window.policyViolations)).toEqual([])
  }

  expect(observed.unexpected).toEqual([])
})

test('the policy of Prefect’s pages keeps them from asking another host', async ({ visitor, api, workspace }) => {
  const { page } = await openPrefect(visitor, new URL('/flows', (await run(api, workspace)).flow_run_url).href)

  await page.evaluate(() => fetch('http://192.0.2.1/').catch(() => undefined))

  expect(await page.evaluate(() => window.policyViolations)).toEqual(['connect-src http://192.0.2.1/'])
})

test('Cancel and Retry in Prefect cancel and retry the run', async ({ visitor, api, workspace }) => {
  // Longer than Prefect's pages take to load and to log in to: a minute is a model's longest.
  const slow = await run(api, workspace, 'mock-slow-60000ms', { wait: false }, 5)
  const { page } = await openPrefect(visitor, slow.flow_run_url)
  await logIn(page)
  await press(page, 'Cancel', 'Cancel Flow Run')

  await expect.poll(async () => (await api.get<Run>(`/api/runs/${slow.id}`)).state, { timeout: LOAD_MS }).toBe('cancelled')
  expect((await api.get<Run>(`/api/runs/${slow.id}`)).cancelled_by).toBe('Prefect')

  const failed = await run(api, workspace, 'mock-fail-rate-limited')
  await page.goto(failed.flow_run_url)
  await press(page, 'Retry', 'Retry')

  const retry = async (): Promise<Run | undefined> => (await api.get<Run[]>(`/api/runs?workspace=${workspace}`)).find((run) => run.retry_of === failed.id)
  await expect.poll(async () => (await retry())?.flow_run_id, { timeout: LOAD_MS }).toBe(failed.flow_run_id)
})
