import { expect, it } from 'vitest'

import { headersText, readHeaders } from './headers'

it('reads headers as they are written', () => {
  expect(readHeaders('X-Team: red\n\n accept : application/json; q=1 ')).toEqual({ 'x-team': 'red', accept: 'application/json; q=1' })
  expect(readHeaders(headersText({ 'x-a': 'b: c' }))).toEqual({ 'x-a': 'b: c' })
  expect(readHeaders('')).toEqual({})
})

it.each(['no colon', ': no name', 'two words: x'])('refuses %s', (text) => {
  expect(readHeaders(text)).toBeNull()
})
