import { onScopeDispose, readonly, ref, type Ref } from 'vue'

/** Whether the media query holds, for as long as the scope lives. */
export function useMedia(query: string): Readonly<Ref<boolean>> {
  const list = window.matchMedia(query)
  const matches = ref(list.matches)
  const update = (event: MediaQueryListEvent) => (matches.value = event.matches)
  list.addEventListener('change', update)
  onScopeDispose(() => list.removeEventListener('change', update))
  return readonly(matches)
}

export function usePreferredDark(): Readonly<Ref<boolean>> {
  return useMedia('(prefers-color-scheme: dark)')
}
