import type { Step } from '../steps'

/** What the fields of every kind take; each change is emitted as `set` with the field and its value. */
export interface KindProps {
  step: Step
  /** All steps of the workflow. */
  steps: readonly Step[]
  locked: boolean
  errorOf: (field: string) => string | undefined
}
