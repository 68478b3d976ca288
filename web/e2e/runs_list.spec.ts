import { untilRunsStart, type Api } from './harness/api.ts'
import { expect, expectAccessible, test, unique } from './harness/test.ts'

const RUN_MS = 120_000

/** A workflow whose first version completes, whose second fails and whose third waits for a decision. */
async function workflowOfThreeVersions(api: Api, workspace: string): Promise<{ id: string; key: string }> {
  const key = unique('report')
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'greet', type: 'render', template: 'Hello' }] })
  await api.post(`/api/workflows/${id}/publish`)
  await api.put(`/api/workflows/${id}`, { steps: [{ name: 'read', type: 'transform', op: 'json' }] })
  await api.post(`/api/workflows/${id}/publish`)
  await api.put(`/api/workflows/${id}`, { steps: [{ name: 'ask', type: 'approval', message: 'Send it?' }] })
  await api.post(`/api/workflows/${id}/publish`)
  return { id, key }
}

test('runs are counted by state and version, found by tokens, and retried from the list', async ({ page, api, workspace, logIn }) => {
  test.setTimeout(300_000)
  await untilRunsStart(api)
  const mine = await logIn('editor')
  const { id, key } = await workflowOfThreeVersions(api, workspace)
  const start = (version: number) => mine.request('POST', `/api/workflows/${id}/run`, { version, wait: false, input: 'no JSON' })
  const [, , waiting] = [await start(1), await start(2), await start(3)]
  await page.goto(`/w/${workspace}/runs`)
  const row = (state: string) => page.getByRole('row').filter({ hasText: state })
  const facets = page.getByRole('complementary', { name: 'Filters' })
  await expect(row('completed')).toContainText('v1', { timeout: RUN_MS })
  await expect(row('failed')).toContainText('v2', { timeout: RUN_MS })
  await expect(page.getByRole('columnheader', { name: 'Waited' })).toBeVisible()
  // State, key, source, model and version are before it.
  await expect(row('completed').getByRole('cell').nth(5)).toHaveText(/^[\d,.]+ (ms|s)$/)
  // What has not ended is a list of its own.
  await facets.getByRole('button', { name: /^waiting/ }).click({ timeout: RUN_MS })
  await expect(page).toHaveURL(/q=state:waiting/)
  await expect(row('waiting')).toContainText('v3')
  await expect(row('completed')).toHaveCount(0)
  await mine.post(`/api/runs/${String(waiting.body.run_id)}/cancel`)
  await expect(page.getByText('No run matches')).toBeVisible({ timeout: RUN_MS })
  await page.getByRole('button', { name: 'Remove the filter state:waiting' }).click()
  await expect(row('cancelled')).toContainText('v3')
  for (const state of ['completed', 'failed', 'cancelled']) await expect(facets.getByRole('button', { name: state })).toHaveText(`${state}1`)
  await expectAccessible(page)

  await facets.getByRole('button', { name: key }).click()
  await facets.getByRole('button', { name: /^v2/ }).click()
  await expect(page).toHaveURL(new RegExp(`q=key:${key}(\\+|%20)version:2`))
  await expect(page.getByText('1 run', { exact: true })).toBeVisible()
  // Each facet counts what it would find beside the other filters.
  await expect(facets.getByRole('button', { name: 'failed' })).toHaveText('failed1')
  await expect(facets.getByRole('button', { name: 'completed' })).toHaveCount(0)
  await expect(facets.getByRole('button', { name: /^v[123]/ })).toHaveCount(3)
  await page.keyboard.press('/')
  await page.keyboard.type('state:cancelled')
  await page.keyboard.press('Enter')
  await expect(page.getByText('No run matches')).toBeVisible()
  await page.getByRole('button', { name: 'Remove the filter version:2' }).click()
  await expect(row('cancelled')).toBeVisible()
  await page.reload()
  await expect(row('cancelled')).toBeVisible()
  await expect(row('failed')).toHaveCount(0)
  await facets.getByRole('button', { name: 'failed' }).click()
  await row('failed').getByRole('link').click()

  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('menuitem', { name: 'Retry with another version or key' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByLabel('Version').locator('option')).toHaveText(['Same version v2', 'v3', 'v1'])
  await expectAccessible(page)
  await dialog.getByLabel('Version').selectOption('v1')
  await dialog.getByRole('button', { name: 'Retry' }).click()
  await expect(page.getByText('Retry of')).toBeVisible()
  await expect(page.getByRole('main').getByRole('status').first()).toHaveText('completed', { timeout: RUN_MS })
})
