/** For what a program should know of and need not act on: shown on standard error, once a `key`. */
export class Warnings {
  readonly #given = new Set<string>();

  warn(key: string, message: string): void {
    if (this.#given.has(key)) return;
    this.#given.add(key);
    process.emitWarning(message, { type: "PromptOpsWarning" });
  }
}

/** What does not work for a while: warned of when it begins and when it ends, and not each time that it is tried. */
export class Outage {
  #lasts = false;

  constructor(private readonly recovery: string) {}

  goesOn(message: string): void {
    if (!this.#lasts) process.emitWarning(message, { type: "PromptOpsWarning" });
    this.#lasts = true;
  }

  isOver(): void {
    if (this.#lasts) process.emitWarning(this.recovery, { type: "PromptOpsWarning" });
    this.#lasts = false;
  }
}

/** The words of whatever was thrown. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of several addresses that were tried in vain, Node tells only the code.
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
