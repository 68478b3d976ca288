import { exampleWorkspace } from './harness/example_workspace.ts'
import { expect, test } from './harness/test.ts'

const PAGES = ['overview', 'prompts', 'prompts/support.triage?env=prod', 'prompts/support.triage/rollout?env=prod', 'agents', 'agents/helper', 'workflows', 'workflows/welcome', 'playground?prompt=support.triage&env=prod', 'runs', 'clients', 'rollouts', 'change-requests', 'audit', 'settings/account', 'settings/environments', 'settings/members', 'settings/workspaces', 'settings/providers']

test('a viewer sees no button that answers 403, and learns which role is needed', async ({ page, api, logIn, observed }) => {
  test.setTimeout(300_000)
  const example = await exampleWorkspace(api)
  await logIn('viewer')
  const refused: string[] = []
  page.on('response', (response) => {
    if (response.status() === 403) refused.push(`${page.url()} ${response.request().method()} ${response.url()}`)
  })
  for (const path of PAGES) {
    await page.goto(`/w/${example.slug}/${path}`)
    await expect(page.locator('[aria-busy="true"]')).toHaveCount(0)
    const buttons = page.locator('main').getByRole('button', { disabled: false })
    const names = await buttons.evaluateAll((elements) => elements.map((element) => element.getAttribute('aria-label') ?? element.textContent?.trim() ?? ''))
    // Each of these changes something; a viewer may look at all of it.
    const changing = names.filter((name) => /^(Publish|Delete|New |Create\b|Save\b|Add |Promote|Turn on|End rollout|Prepare|Invite|Revoke|Roll back)/u.test(name))
    expect.soft(changing, path).toEqual([])
  }
  expect.soft(refused).toEqual([])
  await page.goto(`/w/${example.slug}/prompts/support.triage?env=prod`)
  await page.getByRole('button', { name: /^Publish/ }).hover()
  await expect(page.getByText(/role (editor|admin)/).first()).toBeVisible()
  await observed.expectCalm()
})
