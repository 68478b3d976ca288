// @vitest-environment happy-dom
import { PiniaColada } from '@pinia/colada'
import { flushPromises, mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { defineComponent, h } from 'vue'
import { describe, expect, it, vi } from 'vitest'

import { prepareList, usePagedList } from './paged_list'

const KEY = ['prompts', 'keys']

function mountList(fetchPage: () => Promise<{ data: string[]; total: number }>) {
  const pinia = createPinia()
  const app = { plugins: [pinia, [PiniaColada, {}]] as never }
  const list = defineComponent(() => {
    const { row } = usePagedList({ key: KEY, fetchPage })
    return () => h('p', row(0))
  })
  const page = defineComponent({ props: { isOpen: Boolean }, setup: (props) => { void prepareList(KEY, fetchPage); return () => (props.isOpen ? h(list) : null) } })
  return mount(page, { global: app })
}

describe('a list that was prepared', () => {
  it('is there when its page opens, and is fetched once', async () => {
    const fetchPage = vi.fn(async () => ({ data: ['first'], total: 1 }))
    const page = mountList(fetchPage)
    await flushPromises()
    await page.setProps({ isOpen: true })
    expect(page.text()).toBe('first')
    await flushPromises()
    expect(fetchPage).toHaveBeenCalledTimes(1)
  })

  it('is asked for again when that failed', async () => {
    const fetchPage = vi.fn(async () => ({ data: ['first'], total: 1 })).mockRejectedValueOnce(new Error('unreachable'))
    const page = mountList(fetchPage)
    await flushPromises()
    await page.setProps({ isOpen: true })
    await flushPromises()
    expect(page.text()).toBe('first')
  })
})
