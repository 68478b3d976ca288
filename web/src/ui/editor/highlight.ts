import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { tags } from '@lezer/highlight'

/** Inks for what is written in JSON: names stand out, values are quiet, and no hue means anything else. */
export const quietHighlighting = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.propertyName, color: 'var(--fg)', fontWeight: '500' },
    { tag: [tags.string, tags.punctuation, tags.separator, tags.bracket], color: 'var(--fg-2)' },
    { tag: [tags.number, tags.bool, tags.null], color: 'var(--info)' },
  ]),
)
