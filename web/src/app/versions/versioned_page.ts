import { computed, ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { useEnvironment } from '../environment'
import { useUrlState } from '../url_state'

/** What the pages of agents and workflows share: the view of versions, and publishing what is saved. */
export function useVersionedPage({ save, reason }: { save: () => Promise<boolean>; reason: () => string | undefined }) {
  const { t } = useI18n()
  const { name, environments } = useEnvironment()
  const shown = useUrlState('view', 'edit')
  const view = computed<'edit' | 'versions'>({ get: () => (shown.value === 'versions' ? 'versions' : 'edit'), set: (value) => (shown.value = value) })
  const views = computed(() => (['edit', 'versions'] as const).map((value) => ({ value, label: t(`versions.views.${value}`) })))
  const isPublishing = ref(false)
  const publishReason = computed(reason)

  async function publish(): Promise<void> {
    if (publishReason.value || isPublishing.value || !(await save())) return
    isPublishing.value = true
  }

  /** The environment that the page looks at; without a choice, the first one. */
  const env = computed(() => name.value || (environments.value?.[0]?.name ?? ''))
  return { view, views, env, isPublishing, publish, publishReason }
}
