import type { BrowserContext } from '@playwright/test'

import { Api } from './harness/api.ts'
import { expect, expectAccessible, test, unique } from './harness/test.ts'

const PASSWORD = 'a long password'

/** Somebody with an account, logged in here: API keys approve nothing. The API is that person's, too. */
async function person(context: BrowserContext, api: Api, name: string): Promise<Api> {
  const login = { username: unique(name), password: PASSWORD }
  await api.post('/api/users', { ...login, role: 'editor' })
  const answer = await context.request.post('/api/session', { data: login })
  expect(answer.ok(), await answer.text()).toBe(true)
  const { body } = await api.request('POST', '/api/login', login)
  return new Api(api.url, String(body.token))
}

async function publishedTwice(api: Api, workspace: string): Promise<{ id: string; key: string }> {
  const prompt = await api.post<{ id: string; key: string }>(`/api/prompts?workspace=${workspace}`, { key: unique('greeting'), env: 'prod', content: 'one' })
  await api.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/prompts/${prompt.id}`, { content: 'two' })
  return prompt
}

function served(api: Api, workspace: string, key: string) {
  return async () => (await api.request('GET', `/api/sdk/prompts/${key}?env=prod&workspace=${workspace}`)).body.content
}

test('a publish is requested, approved by somebody else and applied, live in both windows', async ({ page, browser, api, workspace, observed }) => {
  const ada = await person(page.context(), api, 'ada')
  const prompt = await publishedTwice(ada, workspace)
  await api.put(`/api/workspaces/${workspace}/environments`, { environments: [{ name: 'dev' }, { name: 'prod', approvals: 1 }] })

  await page.goto(`/w/${workspace}/prompts/${prompt.key}?env=prod`)
  await page.getByRole('button', { name: /^Publish/ }).click()
  const sheet = page.getByRole('dialog')
  await expect(sheet).toContainText('prod asks for 1 approval')
  await sheet.getByRole('button', { name: 'Request change in prod' }).click()
  await expect(page).toHaveURL(/\/change-requests\/\w+/)
  await expect(page.getByRole('heading', { name: `Publish v2 of ${prompt.key}` })).toBeVisible()
  await expect(page.getByTestId('approvals')).toHaveText('0/1')
  await expect(page.getByRole('button', { name: 'Approve' })).toHaveAttribute('aria-disabled', 'true')
  await expect(page.getByRole('link', { name: 'Change requests' })).toContainText('1')
  expect(await served(api, workspace, prompt.key)()).toBe('one')
  await expectAccessible(page)

  const context = await browser.newContext({ baseURL: api.url, locale: 'en-US', reducedMotion: 'reduce', viewport: { width: 1440, height: 900 } })
  await person(context, api, 'bob')
  const other = await context.newPage()
  await other.goto(`/w/${workspace}/change-requests`)
  await expectAccessible(other)
  await other.getByRole('link', { name: `Publish v2 of ${prompt.key}` }).click()
  await other.getByLabel('Comment').fill('Reads well.')
  await other.getByRole('button', { name: 'Approve' }).click()
  await expect(page.getByTestId('approvals')).toHaveText('1/1')
  await expect(page.getByText('Reads well.')).toBeVisible()
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(other.getByText('Applied', { exact: true })).toBeVisible()
  await expect.poll(served(api, workspace, prompt.key)).toBe('two')
  await context.close()
  await observed.expectCalm()
})

test('an outdated request says why, and its author refreshes it', async ({ page, api, workspace }) => {
  const ada = await person(page.context(), api, 'ada')
  const prompt = await publishedTwice(ada, workspace)
  await ada.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/workspaces/${workspace}/environments`, { environments: [{ name: 'dev' }, { name: 'prod', approvals: 2 }] })
  const { body } = await ada.request('POST', '/api/prompts/rollback', { id: prompt.id, version: 'v1' })
  const request = (body as unknown as { change_request: { id: string } }).change_request
  await page.goto(`/w/${workspace}/change-requests/${request.id}`)
  await expect(page.getByRole('heading', { name: `Roll ${prompt.key} back to v1` })).toBeVisible()
  await ada.put(`/api/prompts/${prompt.id}`, { content: 'a better idea' })
  const banner = page.getByRole('status').filter({ hasText: 'was edited since this was proposed' })
  await expect(banner).toBeVisible()
  await expectAccessible(page)
  await banner.getByRole('button', { name: 'Refresh' }).click()
  await expect(banner).toBeHidden()
  await page.getByRole('button', { name: 'Withdraw' }).click()
  await expect(page.getByText('Withdrawn', { exact: true })).toBeVisible()
})

test('an admin sets how many approvals an environment asks for', async ({ page, api, workspace, logIn }) => {
  await logIn('admin')
  await page.goto(`/w/${workspace}/settings/environments`)
  await page.getByRole('button', { name: 'No approvals in prod; change' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Asks for').selectOption('2')
  await dialog.getByRole('switch', { name: 'Admins may bypass the approvals' }).click()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('button', { name: '2 approvals in prod; change' })).toBeVisible()
  await expect.poll(async () => (await api.get<{ name: string }[]>(`/api/workspaces/${workspace}/environments`)).find((one) => one.name === 'prod')).toMatchObject({ approvals: 2, allow_bypass: true })
  await expectAccessible(page)
})
