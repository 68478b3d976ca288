import { reactive, readonly } from 'vue'

/** Something that goes on after its sheet was closed: one line in the corner until it is done. */
export interface Activity {
  id: string
  text: string
  value: number
  total: number
  /** Nothing is left to wait for. */
  isDone: boolean
  open: () => void
}

const list = reactive<Activity[]>([])

export const activities = readonly(list)

/** Show an activity, or its newest state. */
export function showActivity(activity: Activity): void {
  const index = list.findIndex((one) => one.id === activity.id)
  if (index < 0) list.push(activity)
  else list[index] = activity
}

export function endActivity(id: string): void {
  const index = list.findIndex((one) => one.id === id)
  if (index >= 0) list.splice(index, 1)
}
