import { expect, expectAccessible, test, unique, type Page } from './harness/test.ts'
import { untilRunsStart } from './harness/api.ts'

const RUN_MS = 60_000
const trace = (page: Page) => page.getByRole('list', { name: 'Trace of the run' })
const node = (page: Page, graph: string, name: string) => page.getByRole('region', { name: graph }).locator('button[data-node]', { hasText: name })

test.beforeEach(async ({ api, logIn }) => {
  test.setTimeout(300_000)
  await untilRunsStart(api)
  await logIn('editor')
})

test('the form of a run follows the input schema and refuses what does not fit it', async ({ page, api, workspace }) => {
  const key = unique('form')
  await api.post(`/api/workflows?workspace=${workspace}`, {
    key,
    input_schema: { type: 'object', required: ['who'], properties: { who: { type: 'string', title: 'Name' }, age: { type: 'integer', minimum: 1, maximum: 150 }, tone: { enum: ['calm', 'loud'] }, urgent: { type: 'boolean' }, tags: { type: 'array', items: { type: 'string' } } } },
    defaults: { tone: 'calm' },
    steps: [{ name: 'greet', type: 'render', template: '{{who}} is {{age}}, {{tone}}, {{urgent}}, {{tags}}' }],
  })
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  const form = page.getByRole('complementary', { name: 'Run' })
  await expect(form.getByLabel('tone').locator('option').first()).toHaveText('calm (default)')
  await form.getByLabel('age').fill('151')
  await form.getByLabel('tags').fill('[1')
  const run = form.getByRole('button', { name: /^Run/ }).last()
  await run.click()
  await expect(form.getByText('Enter a value')).toBeVisible()
  await expect(form.getByText('The highest value is 150')).toBeVisible()
  await expect(form.getByText('Enter valid JSON')).toBeVisible()
  await expectAccessible(page)

  await form.getByLabel('who').fill('Ada')
  await form.getByLabel('age').fill('36')
  await form.getByLabel('urgent').selectOption('true')
  await form.getByLabel('tags').fill('["new"]')
  await run.click()
  await expect(form.getByText('Ada is 36, calm, true, ["new"]').first()).toBeVisible({ timeout: RUN_MS })
})

test('a map counts its items, in the trace and on the page of the run', async ({ page, api, workspace }) => {
  const key = unique('map')
  await api.post(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'shout', type: 'map', over: '["a", "b", "c"]', as: 'word', width: 2, step: { type: 'render', template: '{{word}}!' } }] })
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  await page.getByRole('complementary', { name: 'Run' }).getByRole('button', { name: /^Run/ }).last().click()
  await expect(trace(page).getByRole('button', { name: /shout.*3 of 3 items/ })).toBeVisible({ timeout: RUN_MS })
  await expect(page.getByText('["a!","b!","c!"]').first()).toBeVisible()
  await page.getByRole('link', { name: 'Open the run' }).click()
  await expect(page.getByRole('region', { name: 'Steps' }).getByRole('button', { name: /shout/ })).toContainText('3 of 3 items')
})

test('a branch shows what was skipped, in the trace and in the graph of the run', async ({ page, api, workspace }) => {
  const key = unique('branch')
  await api.post(`/api/workflows?workspace=${workspace}`, {
    key,
    input_schema: { properties: { mood: { type: 'string' } } },
    steps: [
      { name: 'route', type: 'branch', when: "mood == 'good'", then: ['cheer'], else: ['console_them'] },
      { name: 'cheer', type: 'render', needs: ['route'], template: 'Well done' },
      { name: 'console_them', type: 'render', needs: ['route'], template: 'Never mind' },
    ],
  })
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  const form = page.getByRole('complementary', { name: 'Run' })
  await form.getByRole('textbox', { name: 'mood' }).fill('bad')
  await form.getByRole('button', { name: /^Run/ }).last().click()
  await expect(trace(page).getByRole('button', { name: /cheer.*skipped/ })).toBeVisible({ timeout: RUN_MS })
  await page.getByRole('link', { name: 'Open the run' }).click()
  await page.getByRole('group', { name: 'Bars or graph' }).getByRole('button', { name: 'Graph' }).click()
  await expect(node(page, 'Graph of the run', 'cheer')).toContainText('skipped')
  await expect(node(page, 'Graph of the run', 'console_them')).toContainText('render')
  await expect(node(page, 'Graph of the run', 'cheer')).toBeVisible()
  await expectAccessible(page)
})

test('a run takes what is served, the draft or a version', async ({ page, api, workspace }) => {
  const key = unique('target')
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'greet', type: 'render', template: 'Hello, first' }] })
  await api.post(`/api/workflows/${id}/publish`, {})
  await api.put(`/api/workflows/${id}`, { steps: [{ name: 'greet', type: 'render', template: 'Hello, draft' }] })
  await page.goto(`/w/${workspace}/workflows/${key}?pane=run`)
  const form = page.getByRole('complementary', { name: 'Run' })
  const target = form.getByLabel('Run', { exact: true })
  await expect(target.locator('option:checked')).toHaveText(/^What \w+ serves: v1$/)
  await form.getByRole('button', { name: /^Run v1/ }).click()
  await expect(form.getByText('Hello, first').first()).toBeVisible({ timeout: RUN_MS })

  await target.selectOption('draft')
  await form.getByRole('button', { name: /^Run/ }).last().click()
  await expect(form.getByText('Hello, draft').first()).toBeVisible({ timeout: RUN_MS })
  // The draft has become a version, which nothing serves.
  await expect(target.locator('option')).toHaveText([/^What \w+ serves: v1$/, 'Draft', 'v2', 'v1'])
  const versions = await api.get<{ version: number; served_in: string[] }[]>(`/api/workflows/${id}/versions`)
  expect(versions.map(({ version, served_in }) => [version, served_in.length])).toEqual([[2, 0], [1, 1]])
})

test('warnings of a save stand beside it and at their step until that is edited', async ({ page, api, workspace }) => {
  const key = unique('warned')
  await api.post(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'greet', type: 'render', template: 'Hello' }] })
  await page.goto(`/w/${workspace}/workflows/${key}`)
  const editor = page.getByRole('textbox', { name: 'YAML' })
  await editor.click()
  await page.keyboard.press('ControlOrMeta+End')
  await page.keyboard.insertText('    colour: red\n')
  await page.getByRole('button', { name: /^Save/ }).first().click()
  await page.getByRole('button', { name: '1 warning' }).click()
  await expect(node(page, 'Graph of the steps', 'greet')).toContainText('colour')
  await page.getByText('Step', { exact: true }).first().click()
  await expect(page.getByRole('complementary', { name: 'Step' }).getByRole('status')).toContainText("field 'colour' is unknown")
  await expectAccessible(page)
  await page.getByRole('textbox', { name: 'Step name' }).fill('hello')
  await page.getByRole('textbox', { name: 'Step name' }).press('Enter')
  await expect(node(page, 'Graph of the steps', 'hello')).not.toContainText('colour')
})
