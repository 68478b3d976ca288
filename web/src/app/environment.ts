import { computed } from 'vue'

import { useUrlState } from './url_state'
import { useEnvironments } from './workspace'

/** The environment that the page looks at, kept in the address; empty means all of them. */
export function useEnvironment() {
  const name = useUrlState('env')
  const { data: environments } = useEnvironments()
  const environment = computed(() => environments.value?.find((one) => one.name === name.value))
  return { name, environment, environments }
}
