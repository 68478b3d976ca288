import { describe, expect, it } from 'vitest'

const files = import.meta.glob<Record<string, unknown>>('/src/**/messages/*.json', { eager: true, import: 'default' })
const sources = import.meta.glob<string>(['/src/**/*.vue', '/src/**/*.ts', '!/src/**/*.test.ts'], { eager: true, query: '?raw', import: 'default' })

function keysOf(messages: unknown, before = ''): string[] {
  if (typeof messages !== 'object' || messages === null || typeof (messages as { type?: unknown }).type === 'number') return [before.slice(1)]
  return Object.entries(messages).flatMap(([key, value]) => keysOf(value, `${before}.${key}`))
}

const folders = [...new Set(Object.keys(files).map((path) => path.replace(/\/(en|zh)\.json$/, '')))]
const known = new Set(
  folders.flatMap((folder) => keysOf(files[`${folder}/en.json`]).map((key) => `${folder.split('/').at(-2)}.${key}`)),
)

describe('the languages', () => {
  it.each(folders)('have the same keys in %s', (folder) => {
    const [en, zh] = ['en', 'zh'].map((language) => keysOf(files[`${folder}/${language}.json`]).sort())
    expect(zh).toEqual(en)
    expect(en?.length).toBeGreaterThan(0)
  })

  it('have every key that a source names', () => {
    const missing = Object.entries(sources).flatMap(([path, source]) =>
      [...source.matchAll(/\bt\('([\w.]+)'/g)].map((match) => match[1] as string).filter((key) => !known.has(key)).map((key) => `${path}: ${key}`),
    )
    expect(missing).toEqual([])
  })
})
