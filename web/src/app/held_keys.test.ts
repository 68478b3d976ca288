// @vitest-environment happy-dom
import { afterEach, expect, it } from 'vitest'

import { holdKeys } from './held_keys'

const press = (key: string, init: KeyboardEventInit = {}) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }))

/** A dialog that opens later, with this inside; its first element takes the focus and selects its text, as dialogs do. */
async function openDialog(html: string): Promise<HTMLElement> {
  document.body.innerHTML = `<div role="dialog">${html}</div>`
  const first = document.querySelector('[role=dialog] > *') as HTMLInputElement
  first.focus()
  if (first.tagName === 'INPUT') first.select()
  await Promise.resolve()
  return first
}

afterEach(() => { document.body.innerHTML = '' })

it('gives the field of the dialog what was typed before it opened, and leaves later keys to it', async () => {
  const reached: string[] = []
  const listen = (event: KeyboardEvent) => reached.push(event.key)
  window.addEventListener('keydown', listen)
  holdKeys()
  for (const key of ['g', 'x', 'Backspace', 'p']) expect(press(key)).toBe(false)
  expect(press('k', { ctrlKey: true })).toBe(true)
  const field = (await openDialog('<input type="text">')) as HTMLInputElement
  expect(field.value).toBe('gp')
  expect(field.selectionStart).toBe(2)
  expect(press('q')).toBe(true)
  expect(reached).toEqual(['k', 'q'])
  window.removeEventListener('keydown', listen)
})

it('waits for the field of a dialog: the focus may go elsewhere first', async () => {
  document.body.innerHTML = '<button>Elsewhere</button>'
  holdKeys()
  document.querySelector('button')?.focus()
  press('a')
  expect(((await openDialog('<input type="text">')) as HTMLInputElement).value).toBe('a')
})

it('drops the keys where the dialog starts with a button', async () => {
  holdKeys()
  press('a')
  await openDialog('<button>Close</button>')
  expect(press('b')).toBe(true)
})

it('holds nothing while the focus is in an open dialog', async () => {
  await openDialog('<input type="text">')
  holdKeys()
  expect(press('a')).toBe(true)
})
