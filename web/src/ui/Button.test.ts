// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { TooltipProvider } from 'reka-ui'
import { describe, expect, it } from 'vitest'
import { h } from 'vue'

import Button from './Button.vue'

describe('a button', () => {
  it.each([{}, { label: 'Close' }, { reason: 'Needs a role' }])('keeps what its parent sets, with a tip or without: %o', (props) => {
    const wrapper = mount(() => h(TooltipProvider, () => h(Button, { ...props, class: 'ml-auto', 'data-test': 'x' }, () => 'Save')))
    const button = wrapper.get('button')
    expect(button.classes()).toContain('ml-auto')
    expect(button.attributes('data-test')).toBe('x')
  })
})
