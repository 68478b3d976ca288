import type { Api } from './harness/api.ts'
import { expect, expectAccessible, test, unique, type Page } from './harness/test.ts'
import { WatchingProgram } from './harness/watching_program.ts'

interface Prompt { id: string; key: string; version: string; published_version: string; content: string; revision: number }

function newPrompt(api: Api, workspace: string, fields: Record<string, unknown> = {}): Promise<Prompt> {
  return api.post<Prompt>(`/api/prompts?workspace=${workspace}`, { key: unique('greeting'), env: 'prod', content: 'Hello {{who}}', ...fields })
}

async function open(page: Page, workspace: string, prompt: Prompt, env = 'prod'): Promise<void> {
  await page.goto(`/w/${workspace}/prompts/${encodeURIComponent(prompt.key)}?env=${env}`)
  await expect(page.getByRole('textbox', { name: 'Text' })).toContainText(prompt.content.split('\n')[0] as string)
}

/** Replace the text in the editor as a person does. */
async function write(page: Page, text: string): Promise<void> {
  const editor = page.getByRole('textbox', { name: 'Text' })
  await editor.click()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText(text)
}

test('a prompt is created, edited and saved without a button', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('welcome')
  await page.goto(`/w/${workspace}/prompts`)
  await page.getByRole('button', { name: /Create|New prompt/ }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Key').fill(key)
  await dialog.getByLabel('Text', { exact: true }).or(dialog.getByRole('textbox', { name: 'Text' })).last().fill('Welcome, {{name}}!')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Create', exact: true }).click()

  await expect(page).toHaveURL(new RegExp(`/prompts/${key}`))
  await write(page, 'Welcome back, {{name}}!')
  await expect(page.getByText(/^Saved/)).toBeVisible()
  await expectAccessible(page)

  const stored = await api.get<Prompt[]>(`/api/prompts?workspace=${workspace}`)
  expect(stored).toMatchObject([{ key, content: 'Welcome back, {{name}}!' }])
})

test('what was just saved is published, also before the list of prompts shows it', async ({ page, api, workspace, logIn }) => {
  await logIn('admin')
  const prompt = await newPrompt(api, workspace)
  await api.post('/api/prompts/publish', { id: prompt.id })
  await open(page, workspace, prompt)
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  await page.route(/\/api\/prompts\?/u, async (route) => {
    await released
    await route.continue()
  })
  await write(page, 'Good morning {{who}}')
  await expect(page.getByText(/^Saved/)).toBeVisible()

  await page.getByRole('button', { name: /^Publish v2/ }).click()
  const sheet = page.getByRole('dialog')
  await expect(sheet).toContainText('Good morning')
  await sheet.getByRole('button', { name: /^Publish v2/ }).click()
  await expect.poll(async () => (await api.get<Prompt>(`/api/prompts/${prompt.id}`)).published_version).toBe('v2')
  release()
})

test('a publish arrives in a running program while the ring fills', async ({ page, api, workspace, logIn }) => {
  await logIn('admin')
  const prompt = await newPrompt(api, workspace)
  await api.post('/api/prompts/publish', { id: prompt.id })
  const program = new WatchingProgram(api.url, workspace, prompt.key)
  try {
    await expect.poll(() => program.latest).toBe('Hello {{who}}')
    await open(page, workspace, prompt)
    await write(page, 'Good evening {{who}}')
    await expect(page.getByText(/^Saved/)).toBeVisible()
    expect(program.latest).toBe('Hello {{who}}')

    await page.getByRole('button', { name: /^Publish v2/ }).click()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Publish v2 to 1 program' }).click()

    await expect(page.getByTestId('acknowledged')).toHaveText('1')
    await expect.poll(() => program.latest).toBe('Good evening {{who}}')
    await expectAccessible(page)
  } finally {
    program.stop()
  }
})

test('two authors in conflict: the second sees both texts merged and loses nothing', async ({ page, api, workspace, logIn, observed }) => {
  await logIn('editor')
  observed.allow(/^409 PUT/)
  const prompt = await newPrompt(api, workspace, { content: 'First line\nSecond line\nThird line' })
  await open(page, workspace, prompt)
  // The other's edit comes while mine is on its way.
  await page.route(`**/api/prompts/${prompt.id}`, async (route) => {
    await api.put(`/api/prompts/${prompt.id}`, { content: 'First line\nSecond line\nThird line, by another' })
    await route.continue()
  }, { times: 1 })
  await write(page, 'First line, by me\nSecond line\nThird line')

  const dialog = page.getByRole('dialog')
  await expect(dialog).toBeVisible()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Save the merged text' }).click()

  await expect(dialog).toBeHidden()
  await expect.poll(async () => (await api.get<Prompt>(`/api/prompts/${prompt.id}`)).content).toBe('First line, by me\nSecond line\nThird line, by another')
})

test('a rollback serves the version before, and can be undone', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const prompt = await newPrompt(api, workspace)
  await api.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/prompts/${prompt.id}`, { content: 'Hello again {{who}}' })
  await api.post('/api/prompts/publish', { id: prompt.id })
  await page.goto(`/w/${workspace}/prompts/${prompt.key}?env=prod`)
  await page.getByRole('button', { name: /^v1/ }).click()
  await page.getByText('Difference', { exact: true }).click()
  await page.getByRole('button', { name: 'Roll back to v1' }).click()
  await expect.poll(async () => (await api.get<Prompt>(`/api/prompts/${prompt.id}`)).published_version).toBe('v1')

  await page.getByRole('button', { name: /Undo/ }).click()
  await expect.poll(async () => (await api.get<Prompt>(`/api/prompts/${prompt.id}`)).published_version).toBe('v2')
})

test('a change by REST appears in the open list and in the open prompt', async ({ page, api, workspace, logIn }) => {
  await logIn('viewer')
  const prompt = await newPrompt(api, workspace)
  await page.goto(`/w/${workspace}/prompts`)
  await expect(page.getByRole('row').filter({ hasText: prompt.key })).toBeVisible()
  const later = await newPrompt(api, workspace)
  await expect(page.getByRole('row').filter({ hasText: later.key })).toBeVisible()

  await open(page, workspace, prompt)
  await api.put(`/api/prompts/${prompt.id}`, { content: 'Changed elsewhere' })
  await expect(page.getByRole('textbox', { name: 'Text' })).toContainText('Changed elsewhere')
})

test('only admins promote into a protected environment', async ({ page, api, workspace, logIn, otherWindow }) => {
  const workspaces = await api.get<{ id: string; slug: string }[]>('/api/workspaces')
  const { id } = workspaces.find(({ slug }) => slug === workspace) as { id: string }
  await api.put(`/api/workspaces/${id}/environments`, { environments: [{ name: 'dev' }, { name: 'prod', protected: true }] })
  const prompt = await newPrompt(api, workspace, { env: 'dev' })
  await api.post('/api/prompts/publish', { id: prompt.id })

  await logIn('editor')
  await open(page, workspace, prompt, 'dev')
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('menuitem', { name: 'Promote to an environment' }).click()
  await expect(page.getByRole('dialog')).toContainText('prod')
  await expect(page.getByRole('button', { name: 'Promote to prod' })).toBeDisabled()

  const admins = await otherWindow('admin')
  await open(admins, workspace, prompt, 'dev')
  await admins.getByRole('button', { name: 'More actions' }).click()
  await admins.getByRole('menuitem', { name: 'Promote to an environment' }).click()
  await admins.getByRole('button', { name: 'Promote to prod' }).click()
  await expect.poll(async () => (await api.get<Prompt[]>(`/api/prompts?workspace=${workspace}&env=prod`)).length).toBe(1)
})
