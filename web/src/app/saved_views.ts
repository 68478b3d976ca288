import { computed, ref } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import type { SavedColumns, useColumns } from '@/ui/columns'

import { useSession } from './session'

/** Filters, sort and columns of a list, under a name. */
export interface SavedView {
  name: string
  query: Record<string, string>
  columns: SavedColumns | null
}

/** Of the address, what a view keeps; the rest is what is open at the moment. */
const KEPT = ['q', 'sort', 'env', 'range']

/** The views that the person has saved of one list, kept in the browser under the name of the account. */
export function useSavedViews(columns: ReturnType<typeof useColumns>) {
  const route = useRoute()
  const router = useRouter()
  const storage = `promptops.views.${columns.name}.${useSession().username}`
  const views = ref(read(storage))
  const query = computed(() => Object.fromEntries(KEPT.flatMap((name) => (typeof route.query[name] === 'string' ? [[name, route.query[name]]] : []))) as Record<string, string>)
  /** The view that the list shows now, if it is one. */
  const current = computed(() => views.value.find((view) => asText(view.query) === asText(query.value) && asText(view.columns) === asText(columns.saved.value))?.name)

  function keep(next: SavedView[]): void {
    views.value = next
    localStorage.setItem(storage, JSON.stringify(next))
  }

  /** Save what the list shows; a view of this name is replaced. */
  function save(name: string): void {
    const view = { name, query: query.value, columns: columns.saved.value }
    keep([...views.value.filter((one) => one.name !== name), view].sort((a, b) => a.name.localeCompare(b.name)))
  }

  async function open(view: SavedView): Promise<void> {
    columns.restore(view.columns)
    await router.replace({ query: view.query })
  }

  /** Remove it; what is returned puts it back. */
  function remove(view: SavedView): () => void {
    const before = views.value
    keep(before.filter((one) => one !== view))
    return () => keep(before)
  }

  return { views, current, save, open, remove }
}

export type SavedViews = ReturnType<typeof useSavedViews>

/** The order of an object's names says nothing. */
function asText(value: object | null): string {
  return JSON.stringify(value, value && !Array.isArray(value) ? Object.keys(value).sort() : null)
}

function read(storage: string): SavedView[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(storage) ?? '[]')
    return Array.isArray(value) ? value.filter(isView) : []
  } catch {
    return []
  }
}

function isView(value: unknown): value is SavedView {
  const view = value as Partial<SavedView> | null
  return typeof view?.name === 'string' && typeof view.query === 'object' && view.query !== null
}
