import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'

// A navigation takes a moment: what is set meanwhile builds on what is under way, not on the old address.
let underWay: LocationQuery | null = null

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
      const query = { ...(underWay ?? router.currentRoute.value.query) }
      if (value === fallback || value === '') delete query[name]
      else query[name] = value
      underWay = query
      void router.replace({ query }).finally(() => {
        if (underWay === query) underWay = null
      })
    },
  })
}
