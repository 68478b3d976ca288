import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** One parameter of the address as a variable: a view's filters, tab and selection survive a reload and a link. */
export function useUrlState(name: string, fallback = ''): WritableComputedRef<string> {
  const route = useRoute()
  const router = useRouter()
  return computed({
    get: () => {
      const value = route.query[name]
      return typeof value === 'string' ? value : fallback
    },
    set: (value) => {
      const query = { ...router.currentRoute.value.query }
      if (value === fallback || value === '') delete query[name]
      else query[name] = value
      void router.replace({ query })
    },
  })
}
