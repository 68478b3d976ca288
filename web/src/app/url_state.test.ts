// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { describe, expect, it, vi } from 'vitest'
import { defineComponent } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import { useUrlState } from './url_state'

async function twoStates(address: string) {
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { render: () => null } }] })
  await router.push(address)
  let states: { creating: ReturnType<typeof useUrlState>; opened: ReturnType<typeof useUrlState> } | undefined
  const Page = defineComponent({
    setup() {
      states = { creating: useUrlState('new'), opened: useUrlState('opened') }
      return () => null
    },
  })
  mount(Page, { global: { plugins: [router] } })
  return { router, ...(states as NonNullable<typeof states>) }
}

describe('the state of a view in the address', () => {
  it('keeps both of two changes that come at once', async () => {
    const { router, creating, opened } = await twoStates('/?new=1&q=x')
    const settled = new Promise<void>((resolve) => router.afterEach((_to, _from, failure) => failure || resolve()))
    creating.value = ''
    opened.value = '42'
    await settled
    expect(router.currentRoute.value.query).toEqual({ q: 'x', opened: '42' })
  })

  it('has at once what was set, also while older changes arrive', async () => {
    const { router, opened } = await twoStates('/')
    const navigations: (() => void)[] = []
    router.beforeResolve(() => new Promise<void>((resolve) => navigations.push(resolve)))
    const arrived = (address: string) => new Promise<void>((resolve) => router.afterEach((to, _from, failure) => { if (!failure && to.fullPath === address) resolve() }))
    const first = arrived('/?opened=h')
    opened.value = 'h'
    expect(opened.value).toBe('h')
    await vi.waitFor(() => expect(navigations).toHaveLength(1))
    navigations[0]?.()
    await first
    const second = arrived('/?opened=hello')
    opened.value = 'he'
    opened.value = 'hello'
    expect(opened.value).toBe('hello')
    await vi.waitFor(() => expect(navigations.length).toBeGreaterThan(1))
    expect(opened.value).toBe('hello')
    navigations.forEach((go) => go())
    await second
    expect(opened.value).toBe('hello')
  })

  it('leaves a fallback out of the address', async () => {
    const { router, opened } = await twoStates('/?opened=1')
    const settled = new Promise<void>((resolve) => router.afterEach(() => resolve()))
    opened.value = ''
    await settled
    expect(router.currentRoute.value.fullPath).toBe('/')
  })
})
