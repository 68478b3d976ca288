import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { exampleWorkspace, type ExampleWorkspace } from './harness/example_workspace.ts'
import { Api } from './harness/api.ts'
import { expect, expectAccessible, test as base } from './harness/test.ts'

const test = base.extend<object, { example: ExampleWorkspace }>({
  example: [async ({}, use) => use(await exampleWorkspace(new Api(process.env.PROMPTOPS_BROWSER_URL as string))), { scope: 'worker', timeout: 200_000 }],
})

const WIDTHS = { wide: 1440, middle: 1024, narrow: 360 } as const
const LANGUAGES = { en: 'en-US', zh: 'zh-CN' } as const
const THEMES = ['light', 'dark'] as const

interface Look {
  readonly theme: (typeof THEMES)[number]
  readonly language: keyof typeof LANGUAGES
  readonly size: keyof typeof WIDTHS
}

/** Each theme and language and both ends of the widths; `make test-all` and the workflow on GitHub look at all of `ALL_LOOKS`. */
const SOME_LOOKS: readonly Look[] = [
  { theme: 'light', language: 'en', size: 'wide' },
  { theme: 'dark', language: 'zh', size: 'narrow' },
]
const ALL_LOOKS: readonly Look[] = THEMES.flatMap((theme) =>
  (['en', 'zh'] as const).flatMap((language) => (['wide', 'middle', 'narrow'] as const).map((size) => ({ theme, language, size }))))

/** Address of each page below its workspace; the rail's pages are asked for in a test of their own. */
function pagesOf({ prompt, run, agent, workflow, schedule }: ExampleWorkspace): string[] {
  return [
    'overview', 'prompts', `prompts/${prompt}?env=prod`, `prompts/${prompt}?env=prod&view=diff`, 'prompts?new=1', 'prompts/support.reply?env=prod',
    `prompts/${prompt}/rollout?env=prod`, 'agents', `agents/${agent}`, 'workflows', `workflows/${workflow}`,
    'playground', `playground?prompt=${prompt}&env=prod`, 'runs', `runs/${run}`, 'clients', 'rollouts', 'schedules', 'schedules?new=1', `schedules?schedule=${schedule}`, 'triggers', 'triggers?new=1', 'approvals', 'change-requests', 'audit', 'system', 'no-such-page',
    ...['account', 'environments', 'members', 'providers', 'keys', 'keys?new=1', 'workspaces', 'users', 'prices'].map((page) => `settings/${page}`),
  ]
}

for (const { theme, language, size } of process.env.EVERY_LOOK ? ALL_LOOKS : SOME_LOOKS) {
  const [locale, width] = [LANGUAGES[language], WIDTHS[size]]
  test.describe(`${theme}, ${language}, ${size}`, () => {
    test.use({ colorScheme: theme, locale, viewport: { width, height: width < 600 ? 780 : 900 } })

    test('every page is whole, accessible and inside the window', async ({ page, example, logIn, observed }) => {
      test.setTimeout(240_000)
      await logIn('admin')
      for (const path of pagesOf(example)) {
        await page.goto(`/w/${example.slug}/${path}`)
        await expect(page.locator('main')).toBeVisible()
        await expect(page.locator('[aria-busy="true"]')).toHaveCount(0)
        await page.evaluate(() => document.fonts.ready)
        if (process.env.SCREENSHOTS) await keepPicture(path.replaceAll(/\W+/gu, '-'))
        expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), path).toBeLessThanOrEqual(0)
        expect.soft(await untranslated(), path).toEqual([])
        if (width === WIDTHS.wide) await expectAccessible(page)
        await observed.expectCalm()
      }

      async function keepPicture(name: string): Promise<void> {
        const folder = join(process.env.SCREENSHOTS as string, `${theme}-${language}-${width}`)
        mkdirSync(folder, { recursive: true })
        await page.screenshot({ path: join(folder, `${name}.png`) })
      }

      /** Texts that are the key of a message instead of the message. */
      function untranslated(): Promise<string[]> {
        return page.evaluate(() => (document.body.innerText.match(/\b(app|ui|prompts|runs|agents|workflows|clients|audit|settings|overview|playground|rollouts|system|schedules|triggers|approvals)\.[a-z]\w*(\.\w+)*\b/gu) ?? []).filter((text) => !text.startsWith('support.')))
      }
    })
  })
}

test('the rail leads to every page, and each keeps its address', async ({ page, example, logIn }) => {
  await logIn('admin')
  await page.goto(`/w/${example.slug}/prompts`)
  const links = page.getByRole('navigation').first().getByRole('link')
  await expect(links.first()).toBeVisible()
  const addresses = await links.evaluateAll((anchors) => anchors.map((anchor) => anchor.getAttribute('href') as string))
  expect(addresses.length).toBeGreaterThan(3)
  for (const address of addresses) {
    await page.locator(`nav a[href="${address}"]`).first().click()
    await expect(page).toHaveURL(new RegExp(`${address}(/|\\?|$)`))
    await expect(page.locator('[aria-busy="true"]')).toHaveCount(0)
    await page.reload()
    await expect(page.locator('main')).toBeVisible()
  }
})
