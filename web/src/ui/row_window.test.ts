// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { defineComponent, h, nextTick, ref } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { useRowWindow } from './row_window'

function mountWindow(total: number, overscan: number) {
  let rowWindow: ReturnType<typeof useRowWindow> | undefined
  const count = ref(total)
  const rowId = ref<(index: number) => string | undefined>(String)
  const table = mount(
    defineComponent(() => {
      const scroller = ref<HTMLElement | null>(null)
      rowWindow = useRowWindow(scroller, { count: () => count.value, overscan, rowHeight: 32, headHeight: 32, rowId: (index) => rowId.value(index) })
      return () => h('div', { ref: scroller })
    }),
  )
  const element = table.element as HTMLElement
  const rows = () => [rowWindow?.rows.value[0], rowWindow?.rows.value.at(-1)]
  const scroll = async (top: number) => {
    element.scrollTop = top
    element.dispatchEvent(new Event('scroll'))
    await nextTick()
  }
  const change = async (now: number) => {
    count.value = now
    await nextTick()
  }
  const show = async (ids: (index: number) => string | undefined) => {
    rowId.value = ids
    await nextTick()
  }
  return { element, rows, scroll, change, show, scrollTo: (index: number) => rowWindow?.scrollTo(index) }
}

async function frame(): Promise<void> {
  vi.advanceTimersToNextFrame()
  await nextTick()
}

async function frames(): Promise<void> {
  await nextTick()
  vi.runAllTimers()
  await nextTick()
}

describe('the rows in sight', () => {
  // A head and ten rows.
  beforeEach(() => {
    vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(352)
    vi.stubGlobal('ResizeObserver', class { constructor(readonly observe: () => void) {} disconnect() {} })
    vi.useFakeTimers({ toFake: ['requestAnimationFrame', 'cancelAnimationFrame'] })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  it('are those that the scroller shows, a row that is cut off included', async () => {
    const { rows, scroll } = mountWindow(1000, 0)
    expect(rows()).toEqual([0, 9])
    await scroll(3200)
    expect(rows()).toEqual([100, 109])
    await scroll(3210)
    expect(rows()).toEqual([100, 110])
  })

  it('have others around them, as far as there are any', async () => {
    const { rows, scroll } = mountWindow(115, 12)
    await frames()
    expect(rows()).toEqual([0, 21])
    await scroll(320)
    expect(rows()).toEqual([0, 31])
    await scroll(3200)
    await frames()
    expect(rows()).toEqual([88, 114])
  })

  it('have none around them in the first picture, and while one screen after the other passes', async () => {
    const { rows, scroll } = mountWindow(1000, 12)
    expect(rows()).toEqual([0, 9])
    await frames()
    for (const screen of [1, 2, 3]) {
      await scroll(screen * 3200)
      vi.advanceTimersToNextFrame()
      expect(rows()).toEqual([screen * 100, screen * 100 + 9])
    }
    await frames()
    expect(rows()).toEqual([288, 321])
  })

  it('have a few more around them in each frame', async () => {
    const { rows, scroll } = mountWindow(1000, 6)
    await scroll(3200)
    await frame()
    expect(rows()).toEqual([100, 109])
    await frame()
    expect(rows()).toEqual([96, 113])
    await frame()
    expect(rows()).toEqual([94, 115])
  })

  it('have none around them until they are loaded', async () => {
    const { rows, scroll, show } = mountWindow(1000, 4)
    await show((index) => (index < 105 ? `${index}` : undefined))
    await scroll(3200)
    await frames()
    expect(rows()).toEqual([100, 109])
    await show(String)
    await frames()
    expect(rows()).toEqual([96, 113])
  })

  it('have none around them in the frame in which all of them are replaced', async () => {
    const { rows, show } = mountWindow(1000, 4)
    await frames()
    expect(rows()).toEqual([0, 13])
    await show((index) => `${index - 1}`)
    expect(rows()).toEqual([0, 13])
    await show((index) => `other ${index}`)
    expect(rows()).toEqual([0, 9])
    await frames()
    expect(rows()).toEqual([0, 13])
  })

  it('follow a row that is out of sight, and no further than needed', () => {
    const { element, rows, scrollTo } = mountWindow(1000, 0)
    scrollTo(9)
    expect(element.scrollTop).toBe(0)
    scrollTo(10)
    expect(rows()).toEqual([1, 10])
    scrollTo(0)
    expect(rows()).toEqual([0, 9])
  })

  it('are asked for anew where fewer rows have moved the scroller', async () => {
    const { element, rows, scroll, change } = mountWindow(1000, 0)
    await scroll(3200)
    element.scrollTop = 0
    await change(2000)
    expect(rows()).toEqual([100, 109])
    await change(50)
    expect(rows()).toEqual([0, 9])
  })

  it('are none where there are none', () => {
    expect(mountWindow(0, 12).rows()).toEqual([undefined, undefined])
  })
})
