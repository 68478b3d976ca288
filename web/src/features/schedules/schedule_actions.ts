import { useQueryCache } from '@pinia/colada'
import { ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'

import { api, body } from '@/api/client'
import { useWorkspace } from '@/app/workspace'
import { notify, notifyFailure } from '@/ui/toasts'

import type { Schedule } from './schedule_form'

/** What can be done with a schedule, said afterwards, with the way back where there is one. */
export function useScheduleActions() {
  const { t } = useI18n()
  const router = useRouter()
  const cache = useQueryCache()
  const { slug } = useWorkspace()
  const isStarting = ref(false)
  const paramsOf = (schedule: Schedule) => ({ params: { path: { schedule_id: schedule.id } } })
  const refresh = () => cache.invalidateQueries({ key: ['schedules'] })

  async function attempt(send: () => Promise<void>): Promise<void> {
    try {
      await send()
    } catch (failure) {
      notifyFailure(failure, t('ui.unreachable'))
    }
    await refresh()
  }

  /** Pause or resume; the answer offers to undo that. */
  function activate(schedule: Schedule, on: boolean): Promise<void> {
    return attempt(async () => {
      await (on ? api.POST('/api/schedules/{schedule_id}/resume', paramsOf(schedule)) : api.POST('/api/schedules/{schedule_id}/pause', paramsOf(schedule)))
      notify(t(on ? 'schedules.isActive' : 'schedules.isPaused', { key: schedule.key }), { label: t('ui.undo'), run: () => activate(schedule, !on) })
    })
  }

  async function runNow(schedule: Schedule): Promise<void> {
    isStarting.value = true
    await attempt(async () => {
      const { run_id } = body(await api.POST('/api/schedules/{schedule_id}/run', paramsOf(schedule))) as unknown as { run_id: string }
      notify(t('schedules.started', { key: schedule.key }), { label: t('schedules.openRun'), run: () => router.push({ name: 'run', params: { workspace: slug.value, run: run_id } }) })
    })
    isStarting.value = false
  }

  /** What fails is shown by the dialog that asks. */
  async function remove(schedule: Schedule): Promise<void> {
    await api.DELETE('/api/schedules/{schedule_id}', paramsOf(schedule))
    await refresh()
  }

  return { activate, runNow, remove, isStarting }
}
