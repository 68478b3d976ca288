import { untilRunsStart } from './harness/api.ts'
import { expect, expectAccessible, test, unique } from './harness/test.ts'

const RUN_MS = 120_000

test('what waits is counted in the rail, shown as Markdown, and decided with the form', async ({ page, api, workspace, logIn }) => {
  test.setTimeout(300_000)
  await untilRunsStart(api)
  await logIn('editor')
  const key = unique('refund')
  const form = { type: 'object', required: ['amount'], properties: { amount: { type: 'number', minimum: 1 } } }
  const steps = [
    { name: 'ask', type: 'approval', message: 'Refund **{{amount}} EUR** to Ada?\n\n<img src=x onerror=alert(1)>', form, roles: ['editor'], allow_link: true, deadline: '2h', reminders: ['90m'] },
    { name: 'tell', type: 'render', template: 'Refunded {{steps.ask.output.values.amount}}' },
  ]
  const workflow = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps })
  await page.goto(`/w/${workspace}/approvals`)
  await expect(page.getByText('Nothing waits for a decision')).toBeVisible()
  await expectAccessible(page)
  const { body } = await api.request('POST', `/api/workflows/${workflow.id}/run`, { variables: { amount: '120' }, wait: false })

  const question = page.getByRole('button', { name: /Refund 120 EUR to Ada/ })
  await expect(question).toBeVisible({ timeout: RUN_MS })
  await expect(page.getByRole('navigation').first().getByRole('link', { name: 'Approvals 1' })).toBeVisible()
  await question.click()
  const pane = page.getByRole('complementary', { name: 'Approval' })
  await expect(pane.locator('strong')).toHaveText('120 EUR')
  await expect(pane.locator('img')).toHaveCount(0)
  await expectAccessible(page)
  await expect(pane.getByText('Reminders')).toBeVisible()
  await pane.getByRole('button', { name: 'Make a link' }).click()
  const address = await page.getByRole('dialog').locator('code').innerText()
  await expectAccessible(page)
  await page.getByRole('dialog').getByRole('button', { name: 'Close without copying' }).click()
  expect(await (await fetch(address)).text()).toContain('120 EUR')
  await pane.getByRole('button', { name: 'Approve' }).click()
  await expect(pane.getByRole('alert')).toHaveText('Enter a value')
  await pane.getByLabel('amount').fill('100')
  await pane.getByLabel('Comment').fill('Half of it was used')
  await pane.getByRole('button', { name: 'Approve' }).click()

  await expect(pane.getByText('Approved', { exact: true })).toBeVisible()
  await expect(pane).toContainText('Half of it was used')
  await expect(page.getByRole('navigation').first().getByRole('link', { name: 'Approvals', exact: true })).toBeVisible()
  const run = () => api.get<{ state: string; output: string }>(`/api/runs/${String(body.run_id)}`)
  await expect.poll(async () => (await run()).state, { timeout: RUN_MS }).toBe('completed')
  expect((await run()).output).toContain('Refunded 100')
})
