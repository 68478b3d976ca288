import { expect, test as base, unique } from './harness/test.ts'
import { Api } from './harness/api.ts'
import { Platform, ROOT } from './harness/platform.ts'

/** These tests kill the platform, so they have one of their own. */
const test = base.extend<object, { platform: Platform }>({
  platform: [
    async ({}, use) => {
      const platform = await Platform.start([`${ROOT}.venv/bin/promptops`, 'serve'])
      await use(platform)
      await platform.stop()
    },
    { scope: 'worker', timeout: 200_000 },
  ],
  baseURL: async ({ platform }, use) => use(platform.url),
})

test('nothing typed is lost while the server is killed and comes back', async ({ page, platform, logIn, observed }) => {
  observed.origins.add(platform.url)
  observed.allow(/net::ERR_/, /WebSocket/, /^503 /)
  const api = new Api(platform.url)
  const prompt = await api.post<{ id: string; key: string }>('/api/prompts', { key: unique('kept'), env: 'prod', content: 'Before' })
  await logIn('editor')
  await page.goto(`/w/default/prompts/${prompt.key}?env=prod`)
  const editor = page.getByRole('textbox', { name: 'Text' })
  await expect(editor).toContainText('Before')

  await platform.kill()
  await expect(page.getByText('Offline')).toBeVisible()
  await editor.click()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText('Typed while the server was away')
  await expect(page.getByText('Not saved yet')).toBeVisible()

  await platform.launch()
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  await expect.poll(async () => (await api.get<{ content: string }>(`/api/prompts/${prompt.id}`)).content).toBe('Typed while the server was away')
  await expect(editor).toContainText('Typed while the server was away')
})

test('a session that ends asks to log in and keeps what was typed', async ({ page, platform, observed }) => {
  observed.origins.add(platform.url)
  observed.allow(/^401 /, /WebSocket/)
  const api = new Api(platform.url)
  const username = unique('sam')
  await api.post('/api/users', { username, password: 'a long password', role: 'editor' })
  const prompt = await api.post<{ id: string; key: string }>('/api/prompts', { key: unique('session'), env: 'prod', content: 'Before' })
  await page.context().request.post('/api/session', { data: { username, password: 'a long password' } })
  await page.goto(`/w/default/prompts/${prompt.key}?env=prod`)
  const editor = page.getByRole('textbox', { name: 'Text' })
  await expect(editor).toContainText('Before')

  // The session is ended elsewhere; the browser still sends its cookie.
  const [cookie] = await page.context().cookies()
  await new Api(platform.url, cookie?.value).request('POST', '/api/logout')
  await editor.click()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText('Typed after the end')
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('Your session has ended')
  await dialog.getByLabel('Password', { exact: true }).fill('a long password')
  await dialog.getByLabel('Password', { exact: true }).press('Enter')

  await expect(dialog).toBeHidden()
  await expect.poll(async () => (await api.get<{ content: string }>(`/api/prompts/${prompt.id}`)).content).toBe('Typed after the end')
})

test('a form of the settings keeps what was typed while the server is away, and sends it then', async ({ page, platform, observed }) => {
  observed.origins.add(platform.url)
  observed.allow(/net::ERR_/, /WebSocket/, /^503 /)
  const username = unique('tess')
  const api = new Api(platform.url)
  const admin = unique('root')
  await api.post('/api/users', { username: admin, password: 'a long password', role: 'admin' })
  await page.context().request.post('/api/session', { data: { username: admin, password: 'a long password' } })
  await page.goto('/w/default/settings/users?new=1')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('User name').fill(username)
  await dialog.getByLabel('Password', { exact: true }).fill('another password')
  await dialog.getByLabel('Role').selectOption('viewer')

  await platform.kill()
  await dialog.getByRole('button', { name: 'Create the user' }).click()
  await expect(dialog.getByRole('alert')).toContainText('cannot be reached')
  await platform.launch()
  await expect(dialog.getByLabel('User name')).toHaveValue(username)
  await dialog.getByRole('button', { name: 'Create the user' }).click()
  await expect(dialog).toBeHidden()
  const [made] = await api.get<{ username: string; role: string }[]>(`/api/users?q=${username}`)
  expect(made).toMatchObject({ username, role: 'viewer' })
})
