/** Longer than any script takes to load; then keys act as usual again. */
const LIMIT_MS = 5000

/**
 * Keep what is typed from now on for the field of a dialog that is about to open. Its script may
 * still be loading, and until then each letter would be a shortcut of the page. Where the focus is
 * in a dialog already, keys reach it.
 */
export function holdKeys(): void {
  if (document.activeElement?.closest('[role=dialog]')) return
  let text = ''
  const limit = window.setTimeout(release, LIMIT_MS)
  window.addEventListener('keydown', hold, true)
  window.addEventListener('focusin', giveToField, true)

  function hold(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (event.key.length === 1) text += event.key
    else if (event.key === 'Backspace') text = text.slice(0, -1)
    else return
    event.preventDefault()
    event.stopImmediatePropagation()
  }

  function giveToField({ target }: FocusEvent): void {
    if (!(target instanceof HTMLElement) || !target.closest('[role=dialog]')) return
    release()
    // The dialog selects the field's text just after it gave it the focus.
    if (isTextField(target) && text) queueMicrotask(() => insert(target, text))
  }

  function release(): void {
    window.clearTimeout(limit)
    window.removeEventListener('keydown', hold, true)
    window.removeEventListener('focusin', giveToField, true)
  }
}

function isTextField(element: HTMLElement): element is HTMLInputElement | HTMLTextAreaElement {
  return element instanceof HTMLTextAreaElement || (element instanceof HTMLInputElement && element.type === 'text')
}

function insert(field: HTMLInputElement | HTMLTextAreaElement, text: string): void {
  field.setRangeText(text, field.selectionStart ?? 0, field.selectionEnd ?? 0, 'end')
  field.dispatchEvent(new InputEvent('input', { bubbles: true, data: text, inputType: 'insertText' }))
}
