// @vitest-environment node
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

interface Chunk { file: string; imports?: string[] }

const BUDGET_BYTES = 120_000
const built = fileURLToPath(new URL('../../../platform/promptops_platform/console/dist', import.meta.url))
const manifest = JSON.parse(readFileSync(join(built, '.vite/manifest.json'), 'utf8')) as Record<string, Chunk>

/** The compressed size of these chunks and of all that they import, without what they load on demand. */
function sizes(roots: string[]): Map<string, number> {
  const open = [...roots]
  const bytes = new Map<string, number>()
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const chunk = manifest[name]
    if (!chunk) throw new Error(`${name} is not in the manifest of the built console`)
    if (bytes.has(name)) continue
    bytes.set(name, statSync(join(built, `${chunk.file}.gz`)).size)
    open.push(...(chunk.imports ?? []))
  }
  return bytes
}

function largest(bytes: Map<string, number>): string {
  const names = [...bytes].sort(([, one], [, other]) => other - one).slice(0, 12)
  return names.map(([name, size]) => `${size} ${name}`).join('\n')
}

/** The editors load the editor's code, the workflow's also its parser: they are measured without a budget of the first load. */
const EDITORS = ['agents/AgentPage', 'prompts/PromptPage', 'workflows/WorkflowPage']
const PAGES = Object.keys(manifest).flatMap((name) => /^src\/features\/(\w+\/\w+Page)\.vue$/.exec(name)?.[1] ?? []).filter((page) => !EDITORS.includes(page))
// What stands around a page.
const frameOf = (page: string) => (page.startsWith('access/') ? [] : ['src/app/shell/Shell.vue', ...(page.startsWith('settings/') ? ['src/app/shell/SettingsFrame.vue'] : [])])

it('knows the pages of all features', () => expect(PAGES.length).toBeGreaterThan(15))

describe.each(['en', 'zh'])('the first load in %s', (language) => {
  it.each(PAGES)('is at most 120 KB of compressed script up to %s', (page) => {
    const [feature] = page.split('/')
    const names = ['index.html', 'src/app/messages', 'src/ui/messages', ...frameOf(page), `src/features/${page}.vue`, `src/features/${feature}/messages`]
    const bytes = sizes(names.map((name) => (name.endsWith('/messages') ? `${name}/${language}.json` : name)))
    const total = [...bytes.values()].reduce((sum, size) => sum + size, 0)
    expect(total, largest(bytes)).toBeLessThanOrEqual(BUDGET_BYTES)
  })
})
