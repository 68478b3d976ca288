import { expect, expectAccessible, test, unique } from './harness/test.ts'

test('facets and tokens keep the list to what is asked for, and follow each other', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const [draft, published] = [unique('mail.draft'), unique('mail.published')]
  const never = await api.post<{ id: string }>(`/api/prompts?workspace=${workspace}`, { key: draft, env: 'dev', content: 'Not yet', tags: 'short' })
  for (const env of ['dev', 'prod']) {
    const { id } = await api.post<{ id: string }>(`/api/prompts?workspace=${workspace}`, { key: published, env, content: `Hello from ${env}` })
    await api.post('/api/prompts/publish', { id })
  }
  await page.goto(`/w/${workspace}/prompts`)
  const row = (key: string) => page.getByRole('row').filter({ hasText: key })
  await expect(row(draft)).toContainText('Never published')
  await expect(row(published)).toContainText('Published')
  await expect(row(published).getByText('v1')).toHaveCount(2)
  await expectAccessible(page)

  const facets = page.getByRole('complementary', { name: 'Filters' })
  await expect(facets.getByRole('button', { name: /^prod/ })).toHaveText('prod1')
  await facets.getByRole('button', { name: /^Never published/ }).click()
  await expect(row(published)).toHaveCount(0)
  await expect(page).toHaveURL(/q=state:never/)
  await expect(facets.getByRole('button', { name: /^prod/ })).toHaveCount(0)
  await expect(facets.getByRole('button', { name: /^dev/ })).toHaveText('dev1')
  await expect(page.getByText('1 of 2 prompts')).toBeVisible()

  // The publish takes it out of the list, and a click on what is left of the filter brings all back.
  await api.post('/api/prompts/publish', { id: never.id })
  await expect(page.getByText('No prompt matches.')).toBeVisible()
  await page.getByRole('button', { name: 'Remove all filters' }).click()
  await expect(row(draft)).toContainText('Published')

  await page.keyboard.press('/')
  await page.keyboard.type('env:prod hello')
  await page.keyboard.press('Enter')
  await expect(row(draft)).toHaveCount(0)
  await expect(row(published)).toBeVisible()
  await page.keyboard.press('Escape')
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`/prompts/${published}\\?env=prod`))
})
