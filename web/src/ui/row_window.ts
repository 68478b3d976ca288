import { computed, onMounted, onUnmounted, ref, watch, type Ref } from 'vue'

/**
 * Which rows of a scroller are in sight, and `overscan` rows before and after them; all rows have one height, and
 * so has the head that stays above them. A width is that of the scroller without its bars; 0 until it is drawn.
 */
export function useRowWindow(scroller: Ref<HTMLElement | null>, options: { count: () => number; overscan: number; rowHeight: number; headHeight: number }) {
  const { rowHeight, headHeight } = options
  const scrollTop = ref(0)
  const size = ref({ width: 0, height: 0 })
  // None in the first picture and while one screen after the other passes, so that each frame draws what is seen only.
  const overscan = ref(0)
  const inside = computed(() => Math.max(size.value.height - headHeight, 0))
  const first = computed(() => Math.max(Math.floor(scrollTop.value / rowHeight) - overscan.value, 0))
  const end = computed(() => (size.value.height ? Math.min(Math.ceil((scrollTop.value + inside.value) / rowHeight) + overscan.value, options.count()) : 0))
  const rows = computed(() => Array.from({ length: Math.max(end.value - first.value, 0) }, (_none, place) => first.value + place))

  function measure(): void {
    const element = scroller.value
    if (element) size.value = { width: element.clientWidth, height: element.clientHeight }
  }

  let frame = 0

  function overscanLater(): void {
    overscan.value = 0
    cancelAnimationFrame(frame)
    frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => (overscan.value = options.overscan))
    })
  }

  function hear(): void {
    const before = scrollTop.value
    scrollTop.value = scroller.value?.scrollTop ?? 0
    if (Math.abs(scrollTop.value - before) > inside.value) overscanLater()
  }

  /** Scroll no further than needed to have the row in sight. */
  function scrollTo(index: number): void {
    const element = scroller.value
    if (!element) return
    const top = index * rowHeight
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + rowHeight > element.scrollTop + inside.value) element.scrollTop = top + rowHeight - inside.value
    hear()
  }

  const observer = new ResizeObserver(measure)
  onMounted(() => {
    // At once, so that the first picture is the right one.
    measure()
    if (!scroller.value) return
    observer.observe(scroller.value)
    scroller.value.addEventListener('scroll', hear, { passive: true })
  })
  onUnmounted(() => {
    observer.disconnect()
    cancelAnimationFrame(frame)
  })
  watch(() => options.count() > 0, (hasRows) => hasRows && overscanLater(), { immediate: true })
  // Fewer rows may have moved it; to ask when there are more would lay out the new ones twice.
  watch(options.count, (count, before) => { if (count < before) hear() }, { flush: 'post' })
  return { rows, width: computed(() => size.value.width), scrollTo }
}
