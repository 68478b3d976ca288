import { useQuery, useQueryCache } from '@pinia/colada'
import { computed, ref, shallowRef, toValue, watch, type MaybeRefOrGetter } from 'vue'

export interface Page<Row> {
  data: Row[]
  total: number
}

export const PAGE_SIZE = 100

type Key = readonly (string | number)[]
type FetchPage<Row> = (offset: number, limit: number) => Promise<Page<Row>>

const firstPage = (key: Key) => [...key, 'page', 0]

/** Ask for the first page of a list that is about to be shown, while its page is still being loaded. */
export async function prepareList<Row>(key: Key, fetchPage: FetchPage<Row>): Promise<void> {
  const cache = useQueryCache()
  // What fails is shown by the list.
  await cache.refresh(cache.ensure({ key: firstPage(key), query: () => fetchPage(0, PAGE_SIZE) })).catch(() => undefined)
}

/**
 * A list of any length of which only the pages in sight are fetched. `key` begins with the name
 * under which live events make it stale; everything that `fetchPage` depends on belongs into it.
 */
export function usePagedList<Row>(options: {
  key: MaybeRefOrGetter<Key>
  fetchPage: FetchPage<Row>
  enabled?: MaybeRefOrGetter<boolean>
}) {
  const pages = shallowRef(new Map<number, Row[]>())
  const visible = ref({ first: 0, last: 0 })
  const loading = new Set<number>()

  const first = useQuery({
    key: () => firstPage(toValue(options.key)),
    enabled: () => toValue(options.enabled ?? true),
    placeholderData: (previous?: Page<Row>) => previous,
    query: () => options.fetchPage(0, PAGE_SIZE),
  })
  const total = computed(() => first.data.value?.total ?? 0)

  // A new first page means another filter or a change: the rest is fetched again as it is seen.
  watch(
    first.data,
    (page, before) => {
      if (!page) return
      const kept = before && before.total === page.total ? new Map(pages.value) : new Map<number, Row[]>()
      pages.value = kept.set(0, page.data)
      void load(true)
    },
    { immediate: true },
  )

  async function load(again = false): Promise<void> {
    const from = Math.floor(visible.value.first / PAGE_SIZE)
    const to = Math.floor(Math.max(visible.value.last, 0) / PAGE_SIZE)
    for (let page = Math.max(from, 1); page <= to; page++) {
      if (loading.has(page) || (pages.value.has(page) && !again)) continue
      loading.add(page)
      const asked = JSON.stringify(toValue(options.key))
      try {
        const { data } = await options.fetchPage(page * PAGE_SIZE, PAGE_SIZE)
        if (asked === JSON.stringify(toValue(options.key))) pages.value = new Map(pages.value).set(page, data)
      } catch {
        // The rows stay grey; scrolling there again, or the next change, asks once more.
      } finally {
        loading.delete(page)
      }
    }
  }

  /** Tell which rows are in sight. */
  function show(firstRow: number, lastRow: number): void {
    visible.value = { first: firstRow, last: lastRow }
    void load()
  }

  /** The row at an index, undefined while it is not loaded. */
  function row(index: number): Row | undefined {
    return pages.value.get(Math.floor(index / PAGE_SIZE))?.[index % PAGE_SIZE]
  }

  return { total, row, show, pages, error: first.error, isPending: first.isPending, refetch: first.refetch }
}
