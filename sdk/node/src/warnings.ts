/** For what a program should know of and need not act on: shown on standard error, once a `key`. */
export class Warnings {
  readonly #given = new Set<string>();

  warn(key: string, message: string): void {
    if (this.#given.has(key)) return;
    this.#given.add(key);
    process.emitWarning(message, { type: "PromptOpsWarning" });
  }
}

/** The words of whatever was thrown. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
