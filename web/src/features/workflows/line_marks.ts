import { RangeSetBuilder, StateEffect, type Extension } from '@codemirror/state'
import { Decoration, EditorView, ViewPlugin, type DecorationSet, type ViewUpdate } from '@codemirror/view'

import type { Lines } from './document'

const refresh = StateEffect.define<null>()
const selectedLine = Decoration.line({ class: 'cm-selectedStep' })
const wrongLine = Decoration.line({ class: 'cm-wrongLine' })
const theme = EditorView.theme({
  '.cm-selectedStep': { backgroundColor: 'var(--info-soft)', boxShadow: 'inset 2px 0 var(--info)' },
  '.cm-wrongLine': { textDecoration: 'underline wavy 1px var(--danger)', textUnderlineOffset: '3px' },
})

interface Source {
  lines: () => { selected?: Lines; wrong: number[] }
  /** The cursor was put into another line. */
  onLine: (line: number) => void
}

export interface LineMarks {
  extension: Extension
  view: () => EditorView | undefined
}

/** Marks the lines of the selected step and those that are wrong. */
export function lineMarks(source: Source): LineMarks {
  let shown: EditorView | undefined
  const plugin = ViewPlugin.fromClass(
    class {
      decorations: DecorationSet
      constructor(view: EditorView) {
        shown = view
        this.decorations = decorated(view, source)
      }
      update(update: ViewUpdate) {
        const isAsked = update.transactions.some((transaction) => transaction.effects.some((effect) => effect.is(refresh)))
        if (update.docChanged || isAsked) this.decorations = decorated(update.view, source)
        if (update.selectionSet && update.view.hasFocus) source.onLine(update.state.doc.lineAt(update.state.selection.main.head).number)
      }
      destroy() {
        shown = undefined
      }
    },
    { decorations: (one) => one.decorations },
  )
  return { extension: [plugin, theme], view: () => shown }
}

/** Draw the marks anew, and bring these lines into sight unless the reader is in the text. */
export function showLines(marks: LineMarks, lines?: Lines): void {
  const view = marks.view()
  if (!view) return
  const target = lines && !view.hasFocus && lines.from <= view.state.doc.lines ? [EditorView.scrollIntoView(view.state.doc.line(lines.from).from, { y: 'nearest', yMargin: 40 })] : []
  view.dispatch({ effects: [refresh.of(null), ...target] })
}

function decorated(view: EditorView, source: Source): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>()
  const { selected, wrong } = source.lines()
  const numbers = new Set<number>(wrong)
  for (let line = selected?.from ?? 1; selected && line <= selected.to; line++) numbers.add(line)
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (number < 1 || number > view.state.doc.lines) continue
    const { from } = view.state.doc.line(number)
    if (selected && number >= selected.from && number <= selected.to) builder.add(from, from, selectedLine)
    if (wrong.includes(number)) builder.add(from, from, wrongLine)
  }
  return builder.finish()
}
