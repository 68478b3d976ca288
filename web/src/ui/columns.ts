import { computed, ref, type Ref } from 'vue'

export interface Column {
  key: string
  label: string
  /** A track of CSS grid, such as `80px` or `minmax(160px, 1fr)`. */
  width: string
  align?: 'right'
  sortable?: boolean
  /** Its head is for screen readers only, as of a column of buttons. */
  bare?: boolean
  /** Stays where it is and can't be hidden. */
  fixed?: boolean
  /** Not shown until somebody chooses it. */
  optional?: boolean
  /** Shown where the table is at least so wide, in pixels. */
  from?: number
}

export interface SavedColumns {
  order: string[]
  hidden: string[]
}

/** The columns of one table as its user has ordered and chosen them, kept in the browser under `name`. */
export function useColumns(name: string, all: Ref<Column[]>) {
  const storage = `promptops.columns.${name}`
  const saved = ref<SavedColumns | null>(read(storage))

  const ordered = computed(() => {
    const order = saved.value?.order ?? []
    const place = (column: Column) => (order.includes(column.key) ? order.indexOf(column.key) : Infinity)
    return saved.value ? [...all.value].sort((a, b) => place(a) - place(b)) : all.value
  })
  const isShown = (column: Column) => column.fixed || !(saved.value ? saved.value.hidden.includes(column.key) : column.optional)
  const shown = computed(() => ordered.value.filter(isShown))

  function save(columns: Column[], hidden: string[]): void {
    restore({ order: columns.map((column) => column.key), hidden })
  }

  /** Show these; null shows the usual ones. */
  function restore(next: SavedColumns | null): void {
    saved.value = next
    if (next) localStorage.setItem(storage, JSON.stringify(next))
    else localStorage.removeItem(storage)
  }

  function toggle(column: Column): void {
    const hidden = ordered.value.filter((one) => isShown(one) === (one.key === column.key)).map((one) => one.key)
    save(ordered.value, hidden)
  }

  function move(column: Column, by: number): void {
    const columns = [...ordered.value]
    const index = columns.indexOf(column)
    const target = index + by
    if (target < 0 || target >= columns.length || columns[target]?.fixed) return
    columns.splice(target, 0, ...columns.splice(index, 1))
    save(columns, columns.filter((one) => !isShown(one)).map((one) => one.key))
  }

  function reset(): void {
    restore(null)
  }

  return { name, saved, ordered, shown, isShown, toggle, move, reset, restore }
}

function read(storage: string): SavedColumns | null {
  try {
    const value = JSON.parse(localStorage.getItem(storage) ?? 'null') as SavedColumns | null
    return value && Array.isArray(value.order) && Array.isArray(value.hidden) ? value : null
  } catch {
    return null
  }
}
