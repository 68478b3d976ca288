// @vitest-environment happy-dom
import { afterEach, expect, it } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'

import { useVariableValues } from './variable_values'

afterEach(() => localStorage.clear())

it('keeps the values of each prompt apart, and forgets empty ones', async () => {
  const id = ref('a')
  const scope = effectScope()
  const values = scope.run(() => useVariableValues(() => id.value))!
  values.who = 'Ada'
  await nextTick()
  id.value = 'b'
  expect(values).toEqual({})
  values.who = 'Bob'
  await nextTick()
  id.value = 'a'
  expect(values).toEqual({ who: 'Ada' })
  values.who = ''
  await nextTick()
  expect(localStorage.getItem('promptops.values.a')).toBeNull()
  expect(localStorage.getItem('promptops.values.b')).toBe('{"who":"Bob"}')
  scope.stop()
})
