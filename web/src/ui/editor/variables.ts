import { autocompletion, type CompletionContext } from '@codemirror/autocomplete'
import { RangeSetBuilder, type Extension } from '@codemirror/state'
import { Decoration, ViewPlugin, type DecorationSet, type EditorView, type ViewUpdate } from '@codemirror/view'

const VARIABLE = /\{\{[ \t\r\n]*([\p{L}\p{Nd}_.]+)[ \t\r\n]*\}\}/gu
const plain = Decoration.mark({ class: 'cm-variable' })
const unknown = Decoration.mark({ class: 'cm-variable cm-unknown' })

/** Marks `{{ variables }}`, those that `isKnown` denies in red, and completes their names after `{{`. */
export function templateVariables(names: () => readonly string[], isKnown: (name: string) => boolean): Extension {
  const marks = ViewPlugin.fromClass(
    class {
      decorations: DecorationSet
      constructor(view: EditorView) {
        this.decorations = marked(view, isKnown)
      }
      update(update: ViewUpdate) {
        if (update.docChanged || update.viewportChanged) this.decorations = marked(update.view, isKnown)
      }
    },
    { decorations: (plugin) => plugin.decorations },
  )
  return [marks, autocompletion({ override: [(context) => complete(context, names())], icons: false })]
}

/** Only what is in sight, so that a prompt of a megabyte is as quick as a line. */
function marked(view: EditorView, isKnown: (name: string) => boolean): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>()
  for (const { from, to } of view.visibleRanges) {
    const text = view.state.doc.sliceString(from, to)
    for (const match of text.matchAll(VARIABLE)) {
      builder.add(from + match.index, from + match.index + match[0].length, isKnown(match[1] as string) ? plain : unknown)
    }
  }
  return builder.finish()
}

function complete(context: CompletionContext, names: readonly string[]) {
  const word = context.matchBefore(/\{\{[ \t]*[\p{L}\p{Nd}_.]*/u)
  if (!word) return null
  const closing = context.state.sliceDoc(context.pos, context.pos + 2) === '}}' ? '' : '}}'
  return { from: word.from, options: names.map((name) => ({ label: `{{${name}`, displayLabel: name, apply: `{{${name}${closing}` })) }
}
