import { untilRunsStart } from './harness/api.ts'
import { expect, expectAccessible, test, unique, type Page } from './harness/test.ts'

const STEPS = [
  { name: 'ask', type: 'render', template: 'Sort this ticket of {{customer}}' },
  { name: 'first', type: 'model', provider: 'mock' },
  { name: 'tidy', type: 'transform', op: 'trim' },
]
const RUN_MS = 60_000
const node = (page: Page, name: string) => page.getByRole('region', { name: 'Graph of the steps' }).locator('button[data-node]', { hasText: name })

async function add(page: Page, button: string | RegExp, kind: string): Promise<void> {
  await page.getByRole('button', { name: button }).click()
  await page.getByRole('menuitem', { name: kind, exact: true }).click()
}

/** The graph is shown whole, and from then on places hold. */
async function expectWhole(page: Page, count: number): Promise<void> {
  const graph = page.getByRole('region', { name: 'Graph of the steps' })
  await expect.poll(() => graph.evaluate((element) => {
    const room = element.getBoundingClientRect()
    const nodes = [...element.querySelectorAll('[data-node]')].map((node) => node.getBoundingClientRect())
    return nodes.filter(({ left, top, right, bottom }) => left >= room.left && top >= room.top && right <= room.right && bottom <= room.bottom).length
  })).toBe(count)
}

test('a parallel workflow is built in the graph, with fields and YAML at the same step, and run', async ({ page, api, workspace, logIn }) => {
  test.setTimeout(300_000)
  await untilRunsStart(api)
  await logIn('editor')
  const key = unique('triage')
  const { id } = await api.post<{ id: string }>(`/api/workflows?workspace=${workspace}`, { key, steps: STEPS })
  await page.goto(`/w/${workspace}/workflows/${key}`)
  await node(page, 'first').click()
  await expect(page.locator('.cm-selectedStep').first()).toContainText('name: first')
  await add(page, 'Add beside', 'Model')
  await expect(page.getByRole('textbox', { name: 'Step name' })).toHaveValue('model')
  await page.getByRole('textbox', { name: 'Step name' }).fill('second')
  await page.getByRole('textbox', { name: 'Step name' }).press('Enter')
  await expect(node(page, 'second')).toBeVisible()

  // By mouse: from the dot below a node to the one above another.
  const target = node(page, 'tidy').locator('xpath=preceding-sibling::*[contains(@class, "target")]')
  await expectWhole(page, 4)
  await node(page, 'second').locator('xpath=following-sibling::*[contains(@class, "source")]').hover()
  const to = await target.boundingBox()
  if (!to) throw new Error('no handle')
  await page.mouse.down()
  await page.mouse.move(to.x, to.y - 20, { steps: 4 })
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 4 })
  await page.mouse.up()
  await node(page, 'tidy').click()
  await expect(page.getByRole('group', { name: 'Needs' })).toContainText('second')

  // By keyboard: up to the next step, and its name follows into what refers to it.
  await node(page, 'tidy').press('ArrowUp')
  await expect(node(page, 'first')).toBeFocused()
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Step name' }).fill('small')
  await page.getByRole('textbox', { name: 'Step name' }).press('Enter')
  await expectAccessible(page)
  await page.getByRole('button', { name: /^Save/ }).click()
  await expect(page.getByText('Workflow saved')).toBeVisible()
  const stored = await api.get<{ steps: { name: string; needs: string[] }[] }>(`/api/workflows/${id}`)
  expect(stored.steps.map(({ name, needs }) => [name, [...needs].sort()])).toEqual([['ask', []], ['small', ['ask']], ['second', ['ask']], ['tidy', ['second', 'small']]])

  // Both models run at once, and the run's page shows the same graph.
  await page.getByText('Run', { exact: true }).first().click()
  await page.getByLabel('customer').fill('Ada')
  await page.getByRole('button', { name: /^Run/ }).last().click()
  const trace = page.getByRole('list', { name: 'Trace of the run' })
  await expect(trace.getByRole('button', { name: /tidy.*done/ })).toBeVisible({ timeout: RUN_MS })
  await expect(node(page, 'second')).toContainText('done')
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Open the run' }).click()
  await expect(page.getByRole('region', { name: 'Steps' })).toBeVisible()
  await page.getByRole('group', { name: 'Bars or graph' }).getByRole('button', { name: 'Graph' }).click()
  const run = page.getByRole('region', { name: 'Graph of the run' })
  await expect(run.locator('button[data-node]')).toHaveCount(4)
  await run.locator('button[data-node]', { hasText: 'second' }).click()
  await expect(page.getByRole('complementary').last()).toContainText('mock')
  await expectAccessible(page)
})

test('a link is removed by mouse and comes back by undo, and a circle is refused', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const key = unique('links')
  await api.post(`/api/workflows?workspace=${workspace}`, { key, steps: STEPS })
  await page.goto(`/w/${workspace}/workflows/${key}?pane=step`)
  await expectWhole(page, 3)

  // What somebody has moved, also by the wheel, stays where it is.
  const top = () => page.locator('.vue-flow__transformationpane').evaluate((element) => new DOMMatrix(getComputedStyle(element).transform).m42)
  const fitted = await top()
  await node(page, 'tidy').hover()
  for (let turn = 0; turn < 3; turn++) await page.mouse.wheel(0, 10)
  await expect.poll(top).toBeCloseTo(fitted - 15)
  await page.locator('.vue-flow__edge').last().click({ force: true })
  await page.getByRole('button', { name: 'Remove the link from first to tidy' }).click()
  await node(page, 'tidy').click()
  const needs = page.getByRole('group', { name: 'Needs' })
  await expect(needs).not.toContainText('first')
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(needs).toContainText('first')
  expect(await top()).toBeCloseTo(fitted - 15)

  await node(page, 'ask').click()
  await needs.getByRole('button', { name: 'Add a needed step' }).click()
  await expect(page.getByRole('menuitem', { name: 'tidy' })).toHaveAttribute('aria-disabled', 'true')
})

test('who may only read sees the graph without the tools', async ({ page, api, workspace, logIn }) => {
  await logIn('viewer')
  const key = unique('read')
  await api.post(`/api/workflows?workspace=${workspace}`, { key, steps: STEPS })
  await page.goto(`/w/${workspace}/workflows/${key}`)
  await expect(node(page, 'ask')).toBeVisible()
  await expect(page.getByRole('button', { name: /^Add/ })).toHaveCount(0)
  await page.getByRole('radio', { name: 'Step' }).or(page.getByRole('button', { name: 'Step', exact: true })).first().click()
  await expectAccessible(page)
})
