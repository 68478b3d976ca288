import { expect, test, unique } from './harness/test.ts'

const HOSTILE = {
  script: '<script>document.title = "taken"</script><img src="x" onerror="document.title=\'taken\'"> {{who}}',
  rightToLeft: 'مرحبا {{who}} \u202Eabc\u202C שלום',
  invisible: 'zero\u200Bwidth\u200D and \uFEFFmarks',
  formula: '{{constructor}} ${7*7} <%= 7*7 %> {{7*7}}',
}

for (const [name, content] of Object.entries(HOSTILE)) {
  test(`a prompt with ${name} stays text everywhere`, async ({ page, api, workspace, logIn }) => {
    await logIn('admin')
    const key = unique('hostile')
    const { id } = await api.post<{ id: string }>(`/api/prompts?workspace=${workspace}`, { key, env: 'prod', content, name: '<b>bold</b>', tags: '<i>' })
    await api.post('/api/prompts/publish', { id, note: '<u>note</u>' })
    await page.goto(`/w/${workspace}/prompts`)
    await expect(page.getByRole('row').filter({ hasText: key })).toBeVisible()
    expect(await page.locator('main b, main i, main u, main img').count()).toBe(0)
    await page.goto(`/w/${workspace}/prompts/${key}?env=prod`)
    await expect(page.getByRole('textbox', { name: 'Text' })).toBeVisible()
    await page.goto(`/w/${workspace}/audit`)
    await expect(page.getByText(key).first()).toBeVisible()
    expect(await page.title()).not.toContain('taken')
  })
}

test('a prompt of 1 MB opens, and the layout holds', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('long')
  await api.post(`/api/prompts?workspace=${workspace}`, { key, env: 'prod', content: `${'A line without an end '.repeat(400)}\n`.repeat(119) })
  await page.goto(`/w/${workspace}/prompts/${key}?env=prod`)
  await expect(page.getByRole('textbox', { name: 'Text' })).toContainText('A line without an end')
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true)
})
