import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
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

  it('leaves a fallback out of the address', async () => {
    const { router, opened } = await twoStates('/?opened=1')
    const settled = new Promise<void>((resolve) => router.afterEach(() => resolve()))
    opened.value = ''
    await settled
    expect(router.currentRoute.value.fullPath).toBe('/')
  })
})
