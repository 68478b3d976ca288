import { onMounted, onUnmounted } from 'vue'

import { useLive } from './live'

/** Ask again every so often for what no event tells of, while somebody looks and the platform is there. */
export function useLookAgain(ask: () => unknown, everyMs: number): void {
  const live = useLive()
  let timer: number | undefined
  onMounted(() => (timer = window.setInterval(() => document.visibilityState === 'visible' && live.connected && void ask(), everyMs)))
  onUnmounted(() => window.clearInterval(timer))
}
