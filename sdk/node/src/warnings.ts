/** Warnings that need no action by the program; each `key` is emitted once, on standard error. */
export class Warnings {
  readonly #emitted = new Set<string>();

  warn(key: string, message: string): void {
    if (this.#emitted.has(key)) return;
    this.#emitted.add(key);
    process.emitWarning(message, { type: "PromptOpsWarning" });
  }
}

/** An outage: emits a warning when it begins and when it ends, and not for each failed attempt. */
export class Outage {
  #isActive = false;

  constructor(private readonly recovery: string) {}

  report(message: string): void {
    if (!this.#isActive) process.emitWarning(message, { type: "PromptOpsWarning" });
    this.#isActive = true;
  }

  end(): void {
    if (this.#isActive) process.emitWarning(this.recovery, { type: "PromptOpsWarning" });
    this.#isActive = false;
  }
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // If all of several addresses failed, Node reports only the code.
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
