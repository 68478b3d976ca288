import type { Schemas } from '@/api/client'

/** A decision that a run waits for, or has waited for. */
export type Approval = Schemas['ApprovalPage']['data'][number]
