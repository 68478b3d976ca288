import './styles/main.css'

import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from './App.vue'
import { i18n, loadLanguage } from './i18n'
import { router } from './router'
import { useSession } from './session'
import { useTheme } from './theme'

async function start(): Promise<void> {
  const app = createApp(App)
  app.use(createPinia())
  app.use(PiniaColada, { queryOptions: { staleTime: 30_000, gcTime: 300_000, refetchOnWindowFocus: false } })
  app.use(i18n)
  useTheme().apply()
  await Promise.all([loadLanguage(), useSession().restore()])
  app.use(router)
  app.mount('#app')
}

void start()
