import { computed, toValue, type MaybeRefOrGetter } from 'vue'

import type { Schemas } from '@/api/client'

import type { Role } from './session'
import { useEnvironments } from './workspace'

/** The role that changes what an environment serves, or proposes it where the environment asks for approvals. */
export function roleToServe(environment: Pick<Schemas['Environment'], 'protected' | 'approvals'> | undefined): Role {
  return environment?.protected && !environment.approvals ? 'admin' : 'editor'
}

/** How many approvals an environment of the page's workspace asks for; 0 where changes take effect at once. */
export function useApprovals(env: MaybeRefOrGetter<string>) {
  const { data: environments } = useEnvironments()
  return computed(() => environments.value?.find(({ name }) => name === toValue(env))?.approvals ?? 0)
}
