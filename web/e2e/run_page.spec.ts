import { untilRunsStart, type Api } from './harness/api.ts'
import { HeldVendor } from './harness/held_vendor.ts'
import { expect, expectAccessible, test as base, unique, type Page } from './harness/test.ts'

const RUN_MS = 60_000

const test = base.extend<{ vendor: HeldVendor }>({
  vendor: async ({}, use) => {
    const vendor = await HeldVendor.start()
    await use(vendor)
    vendor.stop()
  },
})

/** A workflow whose second step asks the vendor, by a connection of the workspace. */
async function heldWorkflow(api: Api, workspace: string, vendor: HeldVendor): Promise<{ id: string; key: string }> {
  await api.post(`/api/providers?workspace=${workspace}`, { name: 'held', kind: 'openai-compatible', base_url: vendor.url, api_key: 'sk-held', model: 'held-1' })
  const key = unique('held')
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, {
    key,
    steps: [{ name: 'ask', type: 'render', template: 'Sort this ticket' }, { name: 'sort', type: 'model', provider: 'held', model: 'held-1' }, { name: 'shout', type: 'transform', op: 'upper' }],
  })
  return { id, key }
}

const steps = (page: Page) => page.getByRole('region', { name: 'Steps' })
const step = (page: Page, name: string) => steps(page).getByRole('button', { name: new RegExp(name) })
const state = (page: Page) => page.getByRole('main').getByRole('status').first()

async function start(page: Page, workspace: string, key: string): Promise<void> {
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  await page.getByRole('button', { name: 'Start without waiting' }).click()
  await expect(page).toHaveURL(/\/runs\//)
}

test.beforeEach(async ({ api, logIn }) => {
  test.setTimeout(300_000)
  await untilRunsStart(api)
  await logIn('editor')
})

test('the page of a run is live: steps appear, the graph colours itself, and the end comes by itself', async ({ page, api, workspace, vendor }) => {
  const { key } = await heldWorkflow(api, workspace, vendor)
  await start(page, workspace, key)
  await vendor.asked(1)
  await expect(state(page)).toHaveText('running', { timeout: RUN_MS })
  await expect(step(page, 'ask')).toBeVisible()
  await expect(steps(page)).toContainText('needs sort')
  await step(page, 'sort').click()
  vendor.begin('Bill')
  const details = page.getByRole('complementary', { name: 'Details of the step' })
  await expect(details.getByText('Bill', { exact: true })).toBeVisible({ timeout: RUN_MS })
  vendor.begin('ing')
  await expect(details.getByText('Billing', { exact: true })).toBeVisible()
  await page.getByRole('group', { name: 'Bars or graph' }).getByRole('button', { name: 'Graph' }).click()
  const node = (name: string) => page.getByRole('region', { name: 'Graph of the run' }).locator('button[data-node]', { hasText: name })
  await expect(node('shout')).toContainText('waiting')
  // Nodes are hidden until their places are known.
  await expect(node('shout')).toBeVisible()
  await expectAccessible(page)

  vendor.answer('!')
  await expect(state(page)).toHaveText('completed', { timeout: RUN_MS })
  await expect(node('shout')).not.toContainText('waiting')
  await node('shout').click()
  await expect(details).toContainText('BILLING!')
  await expectAccessible(page)
})

test('who leaves the page of a run and comes back finds it as it is', async ({ page, api, workspace, vendor }) => {
  const { key } = await heldWorkflow(api, workspace, vendor)
  await start(page, workspace, key)
  await vendor.asked(1)
  await expect(step(page, 'sort')).toBeVisible({ timeout: RUN_MS })
  await page.getByRole('navigation', { name: 'Navigation' }).getByRole('link', { name: 'Runs' }).click()
  await page.getByRole('button', { name: '1 under way' }).click()
  await expect(page.getByRole('row').filter({ hasText: key })).toContainText('running')
  await page.getByRole('row').filter({ hasText: key }).getByRole('link').click()
  await expect(step(page, 'sort')).toBeVisible()
  await page.reload()
  await expect(step(page, 'sort')).toBeVisible()
  vendor.answer('Billing')
  await expect(state(page)).toHaveText('completed', { timeout: RUN_MS })
})

test('the run pane of a workflow finds its run again, also when it has ended meanwhile', async ({ page, api, workspace, vendor }) => {
  const { key } = await heldWorkflow(api, workspace, vendor)
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  const pane = page.getByRole('complementary', { name: 'Run' })
  await pane.getByRole('button', { name: /^Run/ }).last().click()
  await vendor.asked(1)
  const trace = page.getByRole('list', { name: 'Trace of the run' })
  await expect(trace.getByRole('button', { name: /sort.*running/ })).toBeVisible({ timeout: RUN_MS })
  await page.reload()
  await expect(trace.getByRole('button', { name: /ask.*done/ })).toBeVisible({ timeout: RUN_MS })
  await page.getByRole('navigation', { name: 'Navigation' }).getByRole('link', { name: 'Runs' }).click()
  vendor.answer('Billing')
  await expect(page.getByRole('row').filter({ hasText: key })).toContainText('completed', { timeout: RUN_MS })
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  await expect(trace.getByRole('button', { name: /shout.*done/ })).toBeVisible()
  await expect(pane.getByText('BILLING').first()).toBeVisible()
})

test('a run is cancelled, and the page says who did it', async ({ page, api, workspace, vendor }) => {
  const { key } = await heldWorkflow(api, workspace, vendor)
  await start(page, workspace, key)
  await vendor.asked(1)
  await page.getByRole('button', { name: /^Cancel/ }).click()
  await expect(state(page)).toHaveText('cancelled', { timeout: RUN_MS })
  await expect(page.getByText('Cancelled by', { exact: true })).toBeVisible()
  await expect(page.getByRole('button', { name: /^Retry/ }).first()).toBeVisible()
  await expectAccessible(page)
  expect(vendor.prompts).toHaveLength(1)
})

test('a failed run is retried from the step that failed, without what was completed', async ({ page, api, workspace, vendor }) => {
  const { key } = await heldWorkflow(api, workspace, vendor)
  await start(page, workspace, key)
  await vendor.asked(1)
  vendor.refuse('no such model')
  await expect(state(page)).toHaveText('failed', { timeout: RUN_MS })
  const failed = page.url()
  await step(page, 'sort').click()
  await expect(page.getByRole('complementary', { name: 'Details of the step' }).getByRole('alert')).toContainText('no such model')
  await expectAccessible(page)
  await page.getByRole('button', { name: /^Retry from here/ }).click()
  await expect(page.getByText('Retry of')).toBeVisible()
  await vendor.asked(2)
  await expect(step(page, 'ask')).toContainText('reused', { timeout: RUN_MS })
  vendor.answer('Billing')
  await expect(state(page)).toHaveText('completed', { timeout: RUN_MS })
  await expect(step(page, 'ask')).toContainText('reused')
  await expectAccessible(page)

  await page.goto(failed.replace(/\?.*/, ''))
  await expect(page.getByText('Retried as')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Retry', exact: true })).toHaveAttribute('aria-disabled', 'true')
})

test('a step of an inner run offers the retry of the step that runs it, by its name', async ({ page, api, workspace, vendor }) => {
  const { key: inner } = await heldWorkflow(api, workspace, vendor)
  const key = unique('outer')
  await api.post(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'greet', type: 'render', template: 'Hello' }, { name: 'triage', type: 'workflow', key: inner }] })
  await start(page, workspace, key)
  await vendor.asked(1)
  vendor.refuse('no such model')
  await expect(state(page)).toHaveText('failed', { timeout: RUN_MS })
  await step(page, 'triage / ask').click()
  const details = page.getByRole('complementary', { name: 'Details of the step' })
  await expect(details.getByRole('button', { name: /^Retry from here/ })).toHaveCount(0)
  await expectAccessible(page)
  await details.getByRole('button', { name: /^Retry from triage/ }).click()
  await expect(page.getByText('Retry of')).toBeVisible()
  await vendor.asked(2)
  vendor.answer('Billing')
  await expect(state(page)).toHaveText('completed', { timeout: RUN_MS })
  await expect(step(page, 'greet')).toContainText('reused')
  await expect(step(page, 'triage / ask')).not.toContainText('reused')
})

test('a retry asks for the key that the run had', async ({ page, api, workspace, vendor, observed }) => {
  observed.allow(/^400 .*retry/)
  const key = unique('keyed')
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'sort', type: 'model', provider: 'openai-compatible', model: 'held-1' }] })
  const started = await api.request<{ id: string }>('POST', `/api/workflows/${id}/run`, { wait: false, api_key: 'sk-own', base_url: vendor.url })
  await page.goto(`/w/${workspace}/runs/${started.body.data.id}`)
  await vendor.asked(1)
  vendor.refuse('no')
  await expect(state(page)).toHaveText('failed', { timeout: RUN_MS })
  await page.getByRole('button', { name: /^Retry/ }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('not stored')
  await expectAccessible(page)
  await dialog.getByLabel('API key').fill('sk-again')
  await dialog.getByLabel('Address of the provider').fill(vendor.url)
  await dialog.getByRole('button', { name: 'Retry' }).click()
  await vendor.asked(2)
  vendor.answer('Billing')
  await expect(state(page)).toHaveText('completed', { timeout: RUN_MS })
})
