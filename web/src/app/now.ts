import { onMounted, onUnmounted, ref, type Ref } from 'vue'

const MINUTE = 60_000

/** The time, by the minute unless it is asked for more often; it stands still while it is not needed. */
export function useNow(everyMs = MINUTE, isNeeded: () => boolean = () => true): Ref<Date> {
  const now = ref(new Date())
  let timer: number | undefined
  onMounted(() => (timer = window.setInterval(() => isNeeded() && (now.value = new Date()), everyMs)))
  onUnmounted(() => window.clearInterval(timer))
  return now
}
