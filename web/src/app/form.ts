import { computed, ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { ApiError } from '@/api/client'

export interface Complaint {
  /** By field: what is wrong with it. */
  fields: Record<string, string>
  /** What is wrong with none of the fields. */
  rest: string
}

/**
 * Where a sentence of the platform belongs: `slug: 'x' is taken` to the field `slug`, if the form
 * has it. A sentence about an item, `environments.0.name: ...`, belongs to the whole field.
 */
export function sortComplaint(sentence: string, fields: readonly string[]): Complaint {
  const [, name = '', text = ''] = /^([a-z_]+)(?:\.[\w.]+)?: (.+)$/su.exec(sentence) ?? []
  return fields.includes(name) ? { fields: { [name]: text }, rest: '' } : { fields: {}, rest: sentence }
}

/** Sends a form, and says at its fields what the platform refuses. What was typed stays. */
export function useForm(fields: readonly string[] = []) {
  const { t } = useI18n()
  const busy = ref(false)
  const complaint = ref<Complaint>({ fields: {}, rest: '' })

  /** Whether it was done. */
  async function submit(send: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    clear()
    try {
      await send()
      return true
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure
      // After a 401 the login lies over the form; a sentence would only be old afterwards.
      if (failure.unreachable) complaint.value = { fields: {}, rest: t('ui.unreachable') }
      else if (failure.status !== 401) complaint.value = sortComplaint(failure.message, fields)
      return false
    } finally {
      busy.value = false
    }
  }

  function clear(): void {
    complaint.value = { fields: {}, rest: '' }
  }

  return { busy, errors: computed(() => complaint.value.fields), failure: computed(() => complaint.value.rest), submit, clear }
}
