type Messages = Record<string, unknown>

/**
 * The messages of all folders under one roof: those of `features/prompts/messages/en.json` are
 * found under `prompts`, those of `app` and `ui` under their own names.
 */
export function mergeMessages(files: Record<string, Messages>): Messages {
  return Object.fromEntries(
    Object.entries(files).map(([path, messages]) => [path.split('/').at(-3) as string, messages]),
  )
}
