import { usePreferredDark } from './media'
import { defineStore } from 'pinia'
import { computed, ref, watchEffect } from 'vue'

export type Theme = 'light' | 'dark' | 'system'
const REMEMBERED = 'promptops.theme'

export const useTheme = defineStore('theme', () => {
  const saved = localStorage.getItem(REMEMBERED)
  const chosen = ref<Theme>(saved === 'light' || saved === 'dark' ? saved : 'system')
  const prefersDark = usePreferredDark()
  const inForce = computed(() => (chosen.value === 'system' ? (prefersDark.value ? 'dark' : 'light') : chosen.value))

  function choose(theme: Theme): void {
    chosen.value = theme
    localStorage.setItem(REMEMBERED, theme)
  }

  /** Keep the page in the theme that is in force. */
  function apply(): void {
    watchEffect(() => {
      document.documentElement.dataset.theme = inForce.value
    })
  }

  return { chosen, inForce, choose, apply }
})
