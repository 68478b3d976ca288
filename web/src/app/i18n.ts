import { ref } from 'vue'
import { createI18n } from 'vue-i18n'

export const LANGUAGES = { en: 'English', zh: '中文' } as const
export type Language = keyof typeof LANGUAGES

type Messages = Record<string, unknown>

const REMEMBERED = 'promptops.language'
const FRAME = ['app', 'ui']
/** Messages are found under the name of their folder: those of `features/prompts` under `prompts`, those of `app/versions` under `versions`. */
const files = import.meta.glob<Messages>(['/src/app/messages/*.json', '/src/app/*/messages/*.json', '/src/ui/messages/*.json', '/src/features/*/messages/*.json'], { import: 'default' })
const loaders = new Map(Object.entries(files).map(([path, load]) => [path.replace(/^.*?([^/]+)\/messages\/(\w+)\.json$/, '$2/$1'), load]))
const shownFolders = new Set(FRAME)
const loaded = new Set<string>()

export const i18n = createI18n({ legacy: false, locale: 'en', fallbackLocale: 'en', missingWarn: false, fallbackWarn: false })
export const language = ref<Language>(remembered() ?? ofBrowser())

/** Show the texts of what is open in `chosen`, else in the language that was chosen before, else in the browser's. */
export async function loadLanguage(chosen: Language = language.value): Promise<void> {
  const missing = () => [...shownFolders].filter((folder) => !loaded.has(`${chosen}/${folder}`))
  // Another page may open meanwhile.
  for (let folders = missing(); folders.length; folders = missing()) await load(chosen, folders)
  i18n.global.locale.value = chosen
  document.documentElement.lang = chosen === 'zh' ? 'zh-CN' : 'en'
  if (chosen === language.value) return
  language.value = chosen
  localStorage.setItem(REMEMBERED, chosen)
}

/** Load the texts of these folders, before a page with them is shown. */
export async function loadPageMessages(folders: string[]): Promise<void> {
  folders.forEach((folder) => shownFolders.add(folder))
  await load(language.value, folders)
}

/** Load the texts of folders that may be shown later. */
export async function preloadMessages(folders: string[]): Promise<void> {
  await load(language.value, folders)
}

/** All at once: each change of the messages draws the page anew. */
async function load(into: Language, folders: string[]): Promise<void> {
  const missing = folders.filter((folder) => !loaded.has(`${into}/${folder}`))
  if (!missing.length) return
  const messages = await Promise.all(missing.map(async (folder) => [folder, await loaders.get(`${into}/${folder}`)?.()] as const))
  i18n.global.setLocaleMessage(into, { ...i18n.global.getLocaleMessage(into), ...Object.fromEntries(messages) })
  missing.forEach((folder) => loaded.add(`${into}/${folder}`))
}

function remembered(): Language | null {
  const value = localStorage.getItem(REMEMBERED)
  return value === 'en' || value === 'zh' ? value : null
}

function ofBrowser(): Language {
  return navigator.languages.some((tag) => tag.toLowerCase().startsWith('zh')) ? 'zh' : 'en'
}
