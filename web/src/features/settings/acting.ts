import { useI18n } from 'vue-i18n'

import { notify, notifyFailure } from '@/ui/toasts'

/** Does something at once, without a form: what fails is said in a toast, with the platform's sentence. */
export function useActing() {
  const { t } = useI18n()

  /** Whether it was done; `done` is what to say then, with the way back if there is one. */
  return async function act(send: () => Promise<unknown>, done?: string, undo?: () => Promise<unknown>): Promise<boolean> {
    try {
      await send()
    } catch (failure) {
      notifyFailure(failure, t('ui.unreachable'))
      return false
    }
    if (done) notify(done, undo && { label: t('ui.undo'), run: () => void act(undo) })
    return true
  }
}
