import { Backoff } from "./backoff.js";

interface Failing {
  readonly usual: Backoff;
  readonly refused: Backoff;
  timer: NodeJS.Timeout | null;
  /** Whether it was tried early because another key's refetch has succeeded. */
  wasHurried: boolean;
}

/** When the keys whose refetch has failed are tried again: each after pauses of its own. */
export class Retries {
  readonly #failing = new Map<string, Failing>();
  // Those refused since the last `error` event.
  readonly #refused = new Set<string>();

  constructor(private readonly tryAgain: (key: string) => void) {}

  isPausing(key: string): boolean {
    return Boolean(this.#failing.get(key)?.timer);
  }

  failed(key: string, isRefusal: boolean): void {
    const failing = this.#failing.get(key) ?? neverFailed();
    this.#failing.set(key, failing);
    const pause = (isRefusal ? failing.refused : failing.usual).next();
    failing.timer = setTimeout(() => this.#hurry(key, failing), pause);
  }

  /** The server is well again; therefore all others are tried at once. */
  succeeded(key: string): void {
    this.endPause(key);
    this.#failing.delete(key);
    for (const [other, failing] of this.#failing) {
      // Once: one that always fails must not be tried at each success of others.
      if (!failing.timer || failing.wasHurried) continue;
      failing.wasHurried = true;
      this.#hurry(other, failing);
    }
  }

  /** There is news of it, which may end what made it fail. */
  endPause(key: string): void {
    const failing = this.#failing.get(key);
    if (failing?.timer) clearTimeout(failing.timer);
    if (failing) failing.timer = null;
  }

  /** What failed before says nothing of what is now. */
  clear(): void {
    for (const key of this.#failing.keys()) this.endPause(key);
    this.#failing.clear();
  }

  /** Whether it is the first of a round of refusals, of which each key has one. */
  beginsRound(key: string): boolean {
    const isFirst = this.#refused.size === 0 || this.#refused.has(key);
    if (isFirst) this.#refused.clear();
    this.#refused.add(key);
    return isFirst;
  }

  #hurry(key: string, failing: Failing): void {
    if (failing.timer) clearTimeout(failing.timer);
    failing.timer = null;
    this.tryAgain(key);
  }
}

function neverFailed(): Failing {
  return { usual: Backoff.reconnecting(), refused: Backoff.refused(), timer: null, wasHurried: false };
}
