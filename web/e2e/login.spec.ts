import { expect, expectAccessible, test, unique } from './harness/test.ts'

test('an account logs in with Enter and comes to where it wanted to go', async ({ page, api, workspace, observed }) => {
  const username = unique('dana')
  await api.post('/api/users', { username, password: 'a long password', role: 'editor' })
  observed.allow(/^401 .*\/api\/session$/)

  await page.goto(`/w/${workspace}/audit`)
  await expect(page).toHaveURL(/\/login/)
  await expectAccessible(page)
  await page.getByLabel('User').fill(username)
  await page.getByLabel('Password', { exact: true }).fill('not the password')
  await page.getByLabel('Password', { exact: true }).press('Enter')
  await expect(page.getByRole('alert')).toBeVisible()
  await page.getByLabel('Password', { exact: true }).fill('a long password')
  await page.getByLabel('Password', { exact: true }).press('Enter')

  await expect(page).toHaveURL(new RegExp(`/w/${workspace}/audit`))
  await expect(page.getByText(username).first()).toBeVisible()
})

test('the session is a cookie that scripts cannot read, and a token logs in too', async ({ page, api, workspace }) => {
  await page.goto('/login')
  await page.getByText('Token', { exact: true }).click()
  await page.getByRole('textbox', { name: 'Token' }).fill(api.token)
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page).not.toHaveURL(/\/login/)
  await page.goto(`/w/${workspace}/prompts`)

  await expect(page.getByRole('navigation').first()).toBeVisible()
  expect(await page.evaluate(() => document.cookie)).toBe('')
  const [cookie] = await page.context().cookies()
  expect(cookie).toMatchObject({ name: 'promptops_session', httpOnly: true, sameSite: 'Strict' })
})
