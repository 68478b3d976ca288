import { ref } from 'vue'

const SHOWN_MS = 1_500

/** Copies a text, and says for a moment that it was copied. */
export function useCopying() {
  const copied = ref(false)
  let timer: number | undefined

  async function copy(text: string): Promise<void> {
    if (window.isSecureContext) await navigator.clipboard.writeText(text)
    else copyByEvent(text)
    copied.value = true
    window.clearTimeout(timer)
    timer = window.setTimeout(() => (copied.value = false), SHOWN_MS)
  }

  return { copied, copy }
}

/** Over plain HTTP from another machine a browser has no `navigator.clipboard`. */
function copyByEvent(text: string): void {
  const fill = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text)
    event.preventDefault()
  }
  document.addEventListener('copy', fill)
  document.execCommand('copy')
  document.removeEventListener('copy', fill)
}
