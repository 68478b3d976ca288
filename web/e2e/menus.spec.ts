import { expect, test } from './harness/test.ts'

test('menus and tooltips, whose script comes later, work by keyboard and give the focus back', async ({ page, logIn, workspace }) => {
  await logIn()
  await page.goto(`/w/${workspace}/audit`)
  const account = page.getByRole('button', { name: /^Account/ })
  await account.focus()
  await page.keyboard.press('Enter')
  const items = page.getByRole('menuitem')
  await expect(items.first()).toBeFocused()
  await page.keyboard.press('ArrowDown')
  await expect(items.nth(1)).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(items).toHaveCount(0)
  await expect(account).toBeFocused()

  await page.getByRole('button', { name: 'Fold' }).focus()
  await expect(page.getByRole('tooltip')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('tooltip')).toHaveCount(0)
})

test('another language shows at once on the page that is open, and on the next', async ({ page, logIn, workspace }) => {
  await logIn()
  await page.goto(`/w/${workspace}/prompts`)
  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitem', { name: '中文' }).click()
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('提示词')
  await page.goto(`/w/${workspace}/runs`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('运行')
  await expect(page.locator('body')).not.toContainText(/\b(app|ui|runs|prompts)\.[a-z]+/)
})
