import { EditorView } from '@codemirror/view'

/** The editors' look, from the page's tokens: custom properties reach into the shadow root. */
export const editorTheme = EditorView.theme({
  '&': { fontSize: '13px', color: 'var(--fg)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { fontFamily: 'var(--mono)', fontFeatureSettings: '"liga" 0, "calt" 0', lineHeight: '20px', padding: '7px 0', caretColor: 'var(--fg)' },
  '.cm-line': { padding: '0 16px', unicodeBidi: 'plaintext' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { backgroundColor: 'var(--info-soft)' },
  '.cm-scroller': { fontFamily: 'inherit', overflow: 'auto' },
  '.cm-placeholder': { color: 'var(--fg-3)' },
  '.cm-variable': { backgroundColor: 'var(--info-soft)', color: 'var(--info)', borderRadius: '4px', padding: '1px 3px' },
  '.cm-unknown': { backgroundColor: 'var(--danger-soft)', color: 'var(--danger)', textDecoration: 'underline wavy 1px', textUnderlineOffset: '3px' },
  '.cm-tooltip': { border: '0', borderRadius: '6px', backgroundColor: 'var(--surface)', boxShadow: 'var(--shadow)', color: 'var(--fg)' },
  '.cm-tooltip-autocomplete > ul > li': { fontFamily: 'var(--mono)', fontSize: '12px', padding: '3px 8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--selected)', color: 'var(--fg)' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--fg-3)', border: '0', fontFamily: 'var(--mono)', fontSize: '12px' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
  '.cm-changedLine, .cm-insertedLine': { backgroundColor: 'var(--add) !important' },
  '.cm-deletedChunk, .cm-deletedLine': { backgroundColor: 'var(--del) !important' },
  // On the old side a changed line is as a removed one.
  '&.cm-merge-a .cm-changedLine': { backgroundColor: 'var(--del) !important' },
  '&.cm-merge-a .cm-changedText': { background: 'var(--del-word) !important', textDecoration: 'line-through' },
  '.cm-changedLineGutter, .cm-insertedLineGutter': { background: 'var(--live) !important' },
  '&.cm-merge-a .cm-changedLineGutter, .cm-deletedLineGutter': { background: 'var(--fg-3) !important' },
  '.cm-changedText, .cm-insertedLine .cm-changedText': { background: 'var(--add-word) !important', borderRadius: '3px' },
  '.cm-deletedText': { background: 'var(--del-word) !important', textDecoration: 'line-through', borderRadius: '3px' },
  '.cm-collapsedLines': { background: 'var(--sunken)', color: 'var(--fg-3)', padding: '2px 16px', fontFamily: 'var(--font)', fontSize: '11px' },
})
