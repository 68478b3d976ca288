import { ref } from 'vue'
import { createI18n } from 'vue-i18n'

export const LANGUAGES = { en: 'English', zh: '中文' } as const
export type Language = keyof typeof LANGUAGES

const REMEMBERED = 'promptops.language'

export const i18n = createI18n({ legacy: false, locale: 'en', fallbackLocale: 'en', missingWarn: false, fallbackWarn: false })
export const language = ref<Language>('en')

/** Load the messages of `chosen`, else of the language that was chosen before, else of the browser's. */
export async function loadLanguage(chosen?: Language): Promise<void> {
  const next = chosen ?? remembered() ?? ofBrowser()
  const { default: messages } = await (next === 'zh' ? import('./messages_zh') : import('./messages_en'))
  i18n.global.setLocaleMessage(next, messages)
  i18n.global.locale.value = next
  language.value = next
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en'
  if (chosen) localStorage.setItem(REMEMBERED, chosen)
}

function remembered(): Language | null {
  const value = localStorage.getItem(REMEMBERED)
  return value === 'en' || value === 'zh' ? value : null
}

function ofBrowser(): Language {
  return navigator.languages.some((tag) => tag.toLowerCase().startsWith('zh')) ? 'zh' : 'en'
}
