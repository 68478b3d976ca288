import { describe, expect, it } from 'vitest'
import type { RouteRecordRaw } from 'vue-router'

const files = import.meta.glob<Record<string, unknown>>('/src/**/messages/*.json', { eager: true, import: 'default' })
const sources = import.meta.glob<string>(['/src/**/*.vue', '/src/**/*.ts', '!/src/**/*.test.ts'], { eager: true, query: '?raw', import: 'default' })
const languages = ['en', 'zh']
const features = import.meta.glob<{ routes: RouteRecordRaw[] }>('/src/features/*/routes.ts', { eager: true })

function keysOf(messages: unknown, before = ''): string[] {
  if (typeof messages !== 'object' || messages === null || typeof (messages as { type?: unknown }).type === 'number') return [before.slice(1)]
  return Object.entries(messages).flatMap(([key, value]) => keysOf(value, `${before}.${key}`))
}

const folders = [...new Set(Object.keys(files).map((path) => path.replace(/\/\w+\.json$/, '')))]
const rooms = folders.map((folder) => folder.split('/').at(-2) as string)
const keys = new Set(
  folders.flatMap((folder) => keysOf(files[`${folder}/en.json`]).map((key) => `${folder.split('/').at(-2)}.${key}`)),
)

interface Mention { path: string; text: string; pattern: RegExp }

/** Keys as sources name them: whole in a string, or with a gap in a template such as `runs.states.${state}`. */
function mentions(): Mention[] {
  const key = new RegExp(`(['"\`])((?:${rooms.join('|')})\\.(?:[\\w.]|\\$\\{[^}]*\\})+)\\1`, 'g')
  return Object.entries(sources).flatMap(([path, source]) =>
    [...source.matchAll(key)].map(([, , text = '']) => ({ path, text, pattern: patternOf(text) })),
  )
}

function patternOf(text: string): RegExp {
  const fixed = text.split(/\$\{[^}]*\}/).map((part) => part.replaceAll('.', '\\.'))
  return new RegExp(`^${fixed.join('[\\w-]+')}$`)
}

const usedKeys = mentions()

describe('the languages', () => {
  it('are the same in each folder', () => {
    expect(Object.keys(files).sort()).toEqual(folders.flatMap((folder) => languages.map((language) => `${folder}/${language}.json`)).sort())
  })

  it.each(folders)('have the same keys in %s', (folder) => {
    const [en, zh] = languages.map((language) => keysOf(files[`${folder}/${language}.json`]).sort())
    expect(zh).toEqual(en)
    expect(en?.length).toBeGreaterThan(0)
  })

  it('have every key that a source names', () => {
    const missing = Object.entries(sources).flatMap(([path, source]) =>
      [...source.matchAll(/\bt\('([\w.]+)'/g)].map((match) => match[1] as string).filter((key) => !keys.has(key)).map((key) => `${path}: ${key}`),
    )
    expect(missing).toEqual([])
  })

  it('have a key for every template that a source names', () => {
    const missing = usedKeys.filter(({ text, pattern }) => text.includes('${') && ![...keys].some((key) => pattern.test(key)))
    expect(missing.map(({ path, text }) => `${path}: ${text}`)).toEqual([])
  })

  it('have no key that no source names', () => {
    expect([...keys].filter((key) => !usedKeys.some(({ pattern }) => pattern.test(key)))).toEqual([])
  })

  // Other folders' texts are not loaded while its pages are open.
  it('are named where they are loaded: in their own folder, or by a feature whose pages load them', () => {
    const foreign = usedKeys.filter(({ path, text }) => {
      const room = text.split('.')[0] ?? ''
      const folder = /^\/src\/(?:features|app)\/(\w+)\//.exec(path)?.[1] ?? ''
      const loaded = ['app', 'ui', folder, ...(features[`/src/features/${folder}/routes.ts`]?.routes ?? []).flatMap(({ meta }) => meta?.texts ?? [])]
      return !loaded.includes(room) && keys.has(text)
    })
    expect(foreign.map(({ path, text }) => `${path}: ${text}`)).toEqual([])
  })
})
