import { expect, test, unique, type Page } from './harness/test.ts'

type Locator = ReturnType<Page['locator']>

/** By mouse from the middle of one thing to a place within another, which is a share of its height from its top. */
async function drag(page: Page, from: Locator, to: Locator, share: number): Promise<void> {
  await from.hover()
  await page.mouse.down()
  const box = await to.boundingBox()
  if (!box) throw new Error('nothing to drag to')
  const x = box.x + Math.min(box.width, 80) / 2
  await page.mouse.move(x, box.y + box.height * share - 3, { steps: 5 })
  await page.mouse.move(x, box.y + box.height * share, { steps: 3 })
}

test('cards of a workflow are put into another order by mouse', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('order')
  const names = ['ask', 'shout', 'tidy', 'last']
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps: names.map((name) => ({ name, type: 'transform', op: 'trim', needs: [] })) })
  await page.goto(`/w/${workspace}/workflows/${key}`)
  await page.getByText('List', { exact: true }).click()
  const card = (name: string) => page.getByRole('article', { name, exact: true })
  const grip = (name: string) => card(name).locator('[draggable="true"]')
  const order = () => page.getByRole('article').evaluateAll((cards) => cards.map((one) => one.getAttribute('aria-label')))
  await expect(card('last')).toBeVisible()

  await drag(page, grip('ask'), card('tidy'), 0.8)
  await page.mouse.up()
  await expect.poll(order).toEqual(['shout', 'tidy', 'ask', 'last'])
  await drag(page, grip('last'), card('shout'), 0.2)
  await page.mouse.up()
  await expect.poll(order).toEqual(['last', 'shout', 'tidy', 'ask'])

  // A drag that ends outside of the list moves nothing.
  await drag(page, grip('ask'), card('last'), 0.2)
  await page.getByRole('banner').hover()
  await page.mouse.up()
  await expect.poll(order).toEqual(['last', 'shout', 'tidy', 'ask'])

  await page.getByRole('button', { name: /^Save/ }).first().click()
  await expect(page.getByText('Workflow saved')).toBeVisible()
  const stored = await api.get<{ steps: { name: string }[] }>(`/api/workflows/${id}`)
  expect(stored.steps.map(({ name }) => name)).toEqual(['last', 'shout', 'tidy', 'ask'])
})

test('fallbacks of an agent are put into another order by mouse', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('fallbacks')
  const fallbacks = ['one', 'two', 'three'].map((model) => ({ provider: 'mock', model }))
  const { id } = await api.post<{ id: string }>(`/api/agents?workspace=${workspace}`, { key, prompt: 'Help.', provider: 'mock', fallbacks })
  await page.goto(`/w/${workspace}/agents/${key}`)
  const grip = (place: number) => page.getByRole('button', { name: new RegExp(`^Fallback ${place}:`) })
  const row = (place: number) => page.getByRole('listitem').filter({ has: grip(place) })
  await grip(3).scrollIntoViewIfNeeded()
  await drag(page, grip(3), row(1), 0.5)
  await page.mouse.up()
  await page.getByRole('button', { name: /^Save/ }).first().click()
  const models = async () => (await api.get<{ fallbacks: { model: string }[] }>(`/api/agents/${id}`)).fallbacks.map(({ model }) => model)
  await expect.poll(models).toEqual(['three', 'one', 'two'])

  await drag(page, grip(1), row(2), 0.5)
  await page.mouse.up()
  await page.getByRole('button', { name: /^Save/ }).first().click()
  await expect.poll(models).toEqual(['one', 'three', 'two'])
})
