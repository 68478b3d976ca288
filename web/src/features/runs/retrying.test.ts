import { expect, test } from 'vitest'

import type { Schemas } from '@/api/client'
import type { LiveStep } from '@/app/runs/run_events'

import { outerNameOf, placeOf } from './retrying'

const step = (number: number, name: string, outer: number | null = null) => ({ step: number, name, outer, type: 'workflow' }) as LiveStep
const RUN = { source: 'workflow' } as Schemas['RunDetail']
const STEPS = [step(1, 'greet'), step(2, ''), step(3, 'workflow / ask', 2), step(4, 'a / b', 9)]

test('a step of an inner run is retried from the step that runs it', () => {
  expect(STEPS.map((one) => outerNameOf(one, STEPS))).toEqual([undefined, undefined, 'workflow', 'a'])
  expect(STEPS.map((one) => placeOf(one, STEPS, RUN))).toEqual(['greet', 2, 2, 9])
})
