import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

import { useSession } from '@/app/session'

/** Why this session may not change accounts and members although its role would do; undefined where it may. */
export function useAccountsReason() {
  const { t } = useI18n()
  const session = useSession()
  return computed(() => (session.session?.manages_accounts === false ? t('settings.accountsOnly') : undefined))
}
