import { type PromptOpsError, ServerUnreachableError } from "./errors.js";
import { Outage } from "./warnings.js";

/** The fetches that fail: one warning when they begin to, one when the server answers again. */
export class FetchOutage {
  readonly #outage = new Outage("prompts can be fetched again");
  readonly #failing = new Map<string, PromptOpsError>();

  failed(key: string, error: PromptOpsError): void {
    this.#failing.set(key, error);
    this.#outage.goesOn(`prompt '${key}' can't be fetched: ${error.message}`);
  }

  /** A key that fails for a reason of its own goes on to do so whatever the others do. */
  succeeded(key: string): void {
    this.#failing.delete(key);
    for (const [other, error] of this.#failing) {
      if (error instanceof ServerUnreachableError) this.#failing.delete(other);
    }
    if (this.#failing.size === 0) this.#outage.isOver();
  }
}
