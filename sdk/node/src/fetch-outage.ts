import { type PromptOpsError, ServerUnreachableError } from "./errors.js";
import { Outage } from "./warnings.js";

/** Emits one warning when fetches begin to fail, and one when the server responds again. */
export class FetchOutage {
  readonly #outage = new Outage("prompts can be fetched again");
  readonly #failing = new Map<string, PromptOpsError>();

  recordFailure(key: string, error: PromptOpsError): void {
    this.#failing.set(key, error);
    this.#outage.report(`prompt '${key}' can't be fetched: ${error.message}`);
  }

  /** A key that fails for its own reason keeps failing, whatever the others do. */
  recordSuccess(key: string): void {
    this.#failing.delete(key);
    for (const [other, error] of this.#failing) {
      if (error instanceof ServerUnreachableError) this.#failing.delete(other);
    }
    if (this.#failing.size === 0) this.#outage.end();
  }
}
