// @vitest-environment happy-dom
import { flushPromises, mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { h } from 'vue'

import Menu from './Menu.vue'

const items = (...texts: string[]) => texts.map((label) => ({ label, run: () => {} }))
const labels = () => [...document.querySelectorAll('[role=menuitem]')].map((item) => item.textContent?.trim())

describe('a menu', () => {
  it('keeps its items while it is open, and has the new ones when it opens again', async () => {
    const menu = mount(Menu, { attachTo: document.body, props: { items: items('New') }, slots: { default: () => h('button', 'Open') } })
    const open = async () => {
      await menu.get('button').trigger('keydown', { key: 'Enter' })
      await import('./MenuContent.vue')
      await flushPromises()
    }
    await open()
    expect(labels()).toEqual(['New'])
    await menu.setProps({ items: items('Arrived', 'New') })
    expect(labels()).toEqual(['New'])
    document.querySelector('[role=menu]')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
    await flushPromises()
    await open()
    expect(labels()).toEqual(['Arrived', 'New'])
    menu.unmount()
  })
})
