import { expect, expectAccessible, test, unique, type Page } from './harness/test.ts'

/** Replaces all that is written in an editor, key by key, as people do. */
async function replaceAll(page: Page, label: string | RegExp, text: string): Promise<void> {
  const editor = page.getByRole('textbox', { name: label }).first()
  await editor.click()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.press('Backspace')
  await page.keyboard.insertText(text)
  await expect(editor).toContainText(text.slice(0, 6))
}

test('what is replaced by typing breaks no rule of the content security policy', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('typed')
  await api.post(`/api/prompts?workspace=${workspace}`, { key, env: 'prod', content: 'Hello {{who}}, this is {{shop}}', config: { temperature: 0.5 } })
  const steps = [{ name: 'greet', type: 'render', template: 'Hello {{who}}' }]
  await api.post(`/api/workflows?workspace=${workspace}`, { key, steps, pool: 'gpu' })
  await api.post(`/api/agents?workspace=${workspace}`, { key, prompt: 'Hello {{who}}', output_schema: { type: 'object', properties: { a: { type: 'string' } } } })

  const expectNoViolation = async () => expect.soft(await page.evaluate(() => window.policyViolations), page.url()).toEqual([])
  await page.goto(`/w/${workspace}/agents/${key}`)
  await replaceAll(page, 'Prompt', 'Help {{who}}')
  await replaceAll(page, 'Output schema', '{"type": "object"}')
  const pool = page.getByLabel('Work pool')
  await expect(page.locator('option[value=gpu]')).toHaveCount(1)
  await pool.fill('GPU box')
  await expect(page.getByRole('alert')).toContainText('lower-case letters')
  await pool.fill('gpu')
  await expect(page.getByRole('alert')).toHaveCount(0)
  await expectNoViolation()
  await page.goto(`/w/${workspace}/workflows/${key}`)
  await expect(page.getByRole('textbox', { name: 'YAML' })).toContainText('pool: gpu')
  await replaceAll(page, 'YAML', 'name: x')
  await expectNoViolation()
  await page.goto(`/w/${workspace}/prompts/${key}?env=prod`)
  await replaceAll(page, 'Text', 'Dear {{who}}')
  await replaceAll(page, 'Output schema (JSON Schema)', '{"type": "object"}')
  await expectNoViolation()
})

test('two edits of a workflow are merged step by step, and a step that both changed is chosen', async ({ page, api, workspace, logIn, observed }) => {
  await logIn('editor')
  observed.allow(/^409 PUT/)
  const key = unique('merged')
  const step = (name: string, template: string) => ({ name, type: 'render', template })
  const workflow = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps: [step('ask', 'Ask'), step('send', 'Send')] })
  await page.goto(`/w/${workspace}/workflows/${key}`)
  await expect(page.getByRole('textbox', { name: 'YAML' })).toContainText('Send')
  // The other's edit comes while mine is on its way.
  await page.route(`**/api/workflows/${workflow.id}`, async (route) => {
    await api.put(`/api/workflows/${workflow.id}`, { steps: [step('ask', 'Ask, by another'), step('send', 'Send'), step('log', 'Log')] })
    await route.continue()
  }, { times: 1 })
  await page.getByRole('textbox', { name: 'YAML' }).click()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText('steps:\n  - {name: ask, type: render, template: "Ask, by me"}\n  - {name: send, type: render, template: Send it}\n')
  await page.keyboard.press('ControlOrMeta+s')

  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('Step ask')
  await expect(dialog).not.toContainText('Step send')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Save the merged workflow' }).click()
  await expect(dialog).toBeHidden()
  await expect.poll(async () => (await api.get<{ steps: unknown[] }>(`/api/workflows/${workflow.id}`)).steps).toMatchObject([step('ask', 'Ask, by me'), step('send', 'Send it'), step('log', 'Log')])
})
