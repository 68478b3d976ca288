import { computed, shallowRef, type WritableComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'

// A navigation takes a moment: what is set or read meanwhile builds on what is under way, not on the old address.
const underWay = shallowRef<{ path: string; query: LocationQuery } | null>(null)

/** One parameter of the address as a variable: a view's filters, tab and selection survive a reload and a link. */
export function useUrlState(name: string, fallback = ''): WritableComputedRef<string> {
  const route = useRoute()
  const router = useRouter()
  const newest = ({ path, query }: { path: string; query: LocationQuery }) => (underWay.value?.path === path ? underWay.value.query : query)
  return computed({
    get: () => {
      const value = newest(route)[name]
      return typeof value === 'string' ? value : fallback
    },
    set: (value) => {
      const { path, query: present } = router.currentRoute.value
      const query = { ...newest({ path, query: present }) }
      if (value === fallback || value === '') delete query[name]
      else query[name] = value
      const change = { path, query }
      underWay.value = change
      void router.replace({ query }).finally(() => {
        if (underWay.value === change) underWay.value = null
      })
    },
  })
}
