// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'

import Markdown from './Markdown.vue'

const draw = (text: string) => mount(Markdown, { props: { text }, attachTo: document.body }).element as HTMLElement

describe('Markdown of anyone', () => {
  it('is drawn with its emphasis, lists and links that open outside', () => {
    const element = draw('Refund **120 EUR**?\n\n- one\n- two\n\n[order](https://example.org/o/1)')
    expect(element.querySelector('strong')?.textContent).toBe('120 EUR')
    expect(element.querySelectorAll('li')).toHaveLength(2)
    expect(element.querySelector('a')?.rel).toBe('noopener noreferrer')
  })

  it.each(['<img src=x onerror="alert(1)">', '<script>alert(1)</script>', '[a](javascript:alert(1))', '![a](https://example.org/a.png)', '<b onclick="alert(1)">b</b>'])('has nothing that runs or is fetched: %s', (text) => {
    const element = draw(text)
    expect(element.querySelector('img, script, [onclick], [onerror]')).toBeNull()
    expect([...element.querySelectorAll('a')].map((link) => link.getAttribute('href')).join()).not.toContain('javascript')
  })
})
