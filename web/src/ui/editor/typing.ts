import { EditorView } from '@codemirror/view'

/**
 * Replaces a selection by what is typed itself. Chromium would keep the look of what it replaces
 * in a style attribute, which the content security policy refuses and logs as a violation.
 */
export const typeOverSelection = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { state } = view
    if (event.inputType !== 'insertText' || !event.data || event.isComposing || state.readOnly || state.selection.main.empty) return false
    event.preventDefault()
    view.dispatch(state.replaceSelection(event.data), { userEvent: 'input.type', scrollIntoView: true })
    return true
  },
})
