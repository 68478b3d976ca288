import { expect, test, unique } from './harness/test.ts'

/** More clicks than these would be a detour: log in, New prompt, Create, Publish, confirm, and back to the list. */
const MOST_CLICKS = 6

test('somebody new comes from the login to a published prompt without a detour', async ({ page, api, workspace }) => {
  const username = unique('nora')
  await api.post('/api/users', { username, password: 'a long password', role: 'editor' })
  await page.addInitScript(() => addEventListener('click', ({ isTrusted, detail }) => {
    // A click of the mouse; what Enter and Space press has no detail.
    if (isTrusted && detail > 0) sessionStorage.setItem('clicks', String(Number(sessionStorage.getItem('clicks') ?? 0) + 1))
  }, true))
  const began = Date.now()
  await page.goto(`/w/${workspace}/prompts`)
  // The cursor stands where the typing begins.
  await expect(page.getByLabel('User name')).toBeFocused()
  await page.keyboard.type(username)
  await page.keyboard.press('Tab')
  await page.keyboard.type('a long password')
  await page.getByRole('button', { name: 'Log in' }).click()

  await page.getByRole('button', { name: /New prompt/ }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByLabel('Key')).toBeFocused()
  const key = unique('greeting')
  await page.keyboard.type(key)
  await dialog.getByLabel('Text', { exact: true }).last().fill('Hello {{who}}')
  await dialog.getByRole('button', { name: 'Create', exact: true }).click()

  const editor = page.getByRole('textbox', { name: 'Text' })
  await expect(editor).toContainText('Hello {{who}}')
  await editor.focus()
  await page.keyboard.press('ControlOrMeta+End')
  await page.keyboard.type(', welcome!')
  await expect(page.getByText(/^Saved/)).toBeVisible()
  await page.getByRole('button', { name: /^Publish v1/ }).click()
  await page.getByRole('dialog').getByRole('button', { name: /^Publish v1/ }).click()
  await expect.poll(async () => (await api.get<{ published_version: string }[]>(`/api/prompts?workspace=${workspace}`))[0]?.published_version).toBe('v1')
  await page.keyboard.press('Escape')
  await page.getByRole('navigation', { name: 'Navigation' }).getByRole('link', { name: 'Prompts', exact: true }).click()

  await expect(page.getByRole('row').filter({ hasText: key })).toContainText('Published')
  const clicks = Number(await page.evaluate(() => sessionStorage.getItem('clicks')))
  expect(clicks).toBeLessThanOrEqual(MOST_CLICKS)
  test.info().annotations.push({ type: 'walk', description: `${clicks} clicks, ${((Date.now() - began) / 1000).toFixed(1)} s by a robot` })
})
