import { expect, expectAccessible, test, unique, type Page } from './harness/test.ts'
import type { Api } from './harness/api.ts'

interface Served { id: string; served: Record<string, number> }

/** Publish the draft with a note, by the sheet. */
async function publish(page: Page, note: string): Promise<void> {
  await page.getByRole('button', { name: /^Publish/ }).click()
  const sheet = page.getByRole('dialog')
  await sheet.getByLabel('Note').fill(note)
  await expectAccessible(page)
  await sheet.getByRole('button', { name: /^Publish/ }).click()
  await expect(sheet).toBeHidden()
}

/** Roll back to v1 and undo it, promote to the next environment, and look at the difference. */
async function moveVersions(page: Page, served: () => Promise<Record<string, number>>, difference: string): Promise<void> {
  await page.getByRole('radio', { name: 'Versions' }).or(page.getByRole('button', { name: 'Versions', exact: true })).first().click()
  const timeline = page.getByRole('complementary', { name: 'Versions' })
  await expect(timeline.getByRole('button')).toHaveCount(3)
  await timeline.getByRole('button', { name: /^v2/ }).click()
  await expect(page.getByRole('region', { name: 'Difference' })).toContainText(difference)
  await expectAccessible(page)

  await timeline.getByRole('button', { name: /^v1/ }).click()
  await page.getByRole('button', { name: 'Roll back to v1' }).click()
  await expect.poll(served).toEqual({ dev: 1 })
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect.poll(served).toEqual({ dev: 2 })

  await page.getByRole('button', { name: 'Promote to an environment' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('gets v2')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: /^Promote to/ }).click()
  await expect(dialog).toBeHidden()
  await expect.poll(async () => Object.values(await served())).toEqual([2, 2])
  await expect(timeline.getByRole('button', { name: /^v2/ })).toContainText('dev')
}

const servedOf = (api: Api, path: string) => async () => (await api.get<Served>(path)).served

test('a workflow is published, compared, rolled back and promoted', async ({ page, api, workspace, logIn }) => {
  await logIn('admin')
  const key = unique('triage')
  const steps = [{ name: 'ask', type: 'render', template: 'Hello {{who}}' }]
  const { id } = await api.post<Served>(`/api/workflows?workspace=${workspace}`, { key, steps })
  await page.goto(`/w/${workspace}/workflows/${key}`)
  await publish(page, 'First version')
  await api.put(`/api/workflows/${id}`, { steps: [{ ...steps[0], template: 'Good morning {{who}}' }] })
  await expect(page.getByText('Draft, ahead of v1')).toBeVisible()
  await publish(page, 'Politer')
  await moveVersions(page, servedOf(api, `/api/workflows/${id}`), 'Good morning')
})

test('an agent is published, compared, rolled back and promoted', async ({ page, api, workspace, logIn }) => {
  await logIn('admin')
  const key = unique('helper')
  const { id } = await api.post<Served>(`/api/agents?workspace=${workspace}`, { key, prompt: 'Help {{who}}.' })
  await page.goto(`/w/${workspace}/agents/${key}`)
  await publish(page, 'First version')
  await api.put(`/api/agents/${id}`, { prompt: 'Help {{who}}, in one sentence.' })
  await expect(page.getByText('Draft, ahead of v1')).toBeVisible()
  await publish(page, 'Shorter')
  await moveVersions(page, servedOf(api, `/api/agents/${id}`), 'in one sentence')
})

test('a version becomes the draft again, and needs saving', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('draft')
  const { id } = await api.post<Served>(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'old', type: 'render', template: 'x' }] })
  await api.post(`/api/workflows/${id}/publish`, {})
  await api.put(`/api/workflows/${id}`, { steps: [{ name: 'new', type: 'render', template: 'x' }] })
  await page.goto(`/w/${workspace}/workflows/${key}?view=versions&version=1`)
  await page.getByRole('button', { name: 'Use as draft' }).click()
  await page.getByRole('button', { name: /^Save/ }).click()
  await expect.poll(async () => (await api.get<{ steps: { name: string }[] }>(`/api/workflows/${id}`)).steps[0]?.name).toBe('old')
})

test('a rollback leaves a draft that is ahead as it is', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('ahead')
  const { id } = await api.post<Served>(`/api/workflows?workspace=${workspace}`, { key, steps: [{ name: 'one', type: 'render', template: 'x' }] })
  await api.post(`/api/workflows/${id}/publish`, {})
  await api.put(`/api/workflows/${id}`, { steps: [{ name: 'two', type: 'render', template: 'x' }] })
  await api.post(`/api/workflows/${id}/publish`, {})
  await page.goto(`/w/${workspace}/workflows/${key}?view=versions&version=1`)
  await expect(page.getByRole('button', { name: 'Roll back to v1' })).toHaveAccessibleDescription('The rollback makes the draft v1 as well.')

  await api.put(`/api/workflows/${id}`, { steps: [{ name: 'three', type: 'render', template: 'x' }] })
  await expect(page.getByText('The rollback leaves your draft as it is.')).toBeVisible()
  await page.getByRole('button', { name: 'Roll back to v1' }).click()
  await expect(page.getByText(/serves v1 again\. The rollback leaves your draft as it is\./)).toBeVisible()
  const stored = await api.get<{ published_version: number; steps: { name: string }[] }>(`/api/workflows/${id}`)
  expect([stored.published_version, stored.steps[0]?.name]).toEqual([1, 'three'])
})

test('a rollback of a prompt keeps the draft that it replaces as a version', async ({ page, api, workspace, logIn }) => {
  await logIn('admin')
  const prompt = await api.post<{ id: string; key: string }>(`/api/prompts?workspace=${workspace}`, { key: unique('kept'), env: 'prod', content: 'one' })
  await api.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/prompts/${prompt.id}`, { content: 'two' })
  await api.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/prompts/${prompt.id}`, { content: 'three, not published' })
  await page.goto(`/w/${workspace}/prompts/${prompt.key}?env=prod`)
  await page.getByRole('complementary', { name: 'Versions' }).getByRole('button', { name: /^v1/ }).click()
  await expect(page.getByText('keeps what is in it as a version')).toBeVisible()
  await page.getByRole('button', { name: 'Roll back to v1' }).click()
  await expect.poll(async () => (await api.get<{ content: string }>(`/api/prompts/${prompt.id}`)).content).toBe('one')
  const versions = await api.get<{ content: string }[]>(`/api/prompts/${prompt.id}/versions`)
  expect(versions.map(({ content }) => content)).toEqual(['three, not published', 'two', 'one'])
})
