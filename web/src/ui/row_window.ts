import { computed, onMounted, onUnmounted, ref, watch, type Ref } from 'vue'

const ROWS_A_FRAME = 4

/** What the rail takes beside a list, and the bars above and below it. */
const FRAME = { width: 220, height: 116 }
/** The size of a list until it is laid out: to ask for it then would lay out the page once more. */
const expected = { width: 0, height: 0 }

function expectSize(): void {
  expected.width = window.innerWidth - FRAME.width
  expected.height = window.innerHeight - FRAME.height
}

expectSize()
window.addEventListener('resize', expectSize)

/**
 * Which rows of a scroller are in sight, and `overscan` rows before and after them; all rows have one height, and
 * so has the head that stays above them. A width is that of the scroller without its bars; until it is laid out, which
 * is before it is painted, a width that lists mostly have.
 */
export function useRowWindow(scroller: Ref<HTMLElement | null>, options: { count: () => number; overscan: number; rowHeight: number; headHeight: number; rowId: (index: number) => string | undefined }) {
  const { rowHeight, headHeight } = options
  const scrollTop = ref(0)
  const size = ref({ ...expected })
  // None in the first picture, while one screen after the other passes, while those in sight are loaded and when all of
  // them are replaced, so that a frame draws what is seen only; then a few more in each frame, so that no frame takes long.
  const overscan = ref(0)
  const inside = computed(() => Math.max(size.value.height - headHeight, 0))
  const top = computed(() => Math.floor(scrollTop.value / rowHeight))
  const first = computed(() => Math.max(top.value - overscan.value, 0))
  const end = computed(() => Math.min(Math.ceil((scrollTop.value + inside.value) / rowHeight) + overscan.value, options.count()))
  const inSight = computed(() => Array.from({ length: Math.max(Math.min(Math.ceil(inside.value / rowHeight), options.count() - top.value), 0) }, (_none, place) => options.rowId(top.value + place)))
  const isLoaded = computed(() => inSight.value.length > 0 && !inSight.value.includes(undefined))
  const rows = computed(() => Array.from({ length: Math.max(end.value - first.value, 0) }, (_none, place) => first.value + place))

  function measure(): void {
    const element = scroller.value
    if (element) size.value = { width: element.clientWidth, height: element.clientHeight }
  }

  let frame = 0

  /** Draw what is in sight only, and the rows around it in the frames after the next. */
  function narrow(): void {
    overscan.value = 0
    widenLater()
  }

  function widenLater(): void {
    cancelAnimationFrame(frame)
    frame = requestAnimationFrame(() => (frame = requestAnimationFrame(widen)))
  }

  function widen(): void {
    if (!isLoaded.value) return
    overscan.value = Math.min(overscan.value + ROWS_A_FRAME, options.overscan)
    if (overscan.value < options.overscan) frame = requestAnimationFrame(widen)
  }

  function hear(): void {
    const before = scrollTop.value
    scrollTop.value = scroller.value?.scrollTop ?? 0
    if (Math.abs(scrollTop.value - before) > inside.value) narrow()
  }

  /** Scroll no further than needed to have the row in sight. */
  function scrollTo(index: number): void {
    const element = scroller.value
    if (!element) return
    const place = index * rowHeight
    if (place < element.scrollTop) element.scrollTop = place
    else if (place + rowHeight > element.scrollTop + inside.value) element.scrollTop = place + rowHeight - inside.value
    hear()
  }

  const observer = new ResizeObserver(measure)
  onMounted(() => {
    widenLater()
    if (!scroller.value) return
    observer.observe(scroller.value)
    scroller.value.addEventListener('scroll', hear, { passive: true })
  })
  onUnmounted(() => {
    observer.disconnect()
    cancelAnimationFrame(frame)
  })
  watch([inSight, top], ([now, place], [before = [], placeBefore]) => {
    if (!isLoaded.value) return
    if (place === placeBefore && !now.some((id) => before.includes(id))) narrow()
    else if (before.includes(undefined)) widenLater()
  })
  // Fewer rows may have moved it; to ask when there are more would lay out the new ones twice.
  watch(options.count, (count, before) => { if (count < before) hear() }, { flush: 'post' })
  return { rows, width: computed(() => size.value.width), scrollTo }
}
