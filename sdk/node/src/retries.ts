import { Backoff } from "./backoff.js";

interface Failing {
  readonly usual: Backoff;
  readonly refused: Backoff;
  timer: NodeJS.Timeout | null;
  /** Whether it was retried early because the refetch of another key succeeded. */
  wasTriedEarly: boolean;
}

/** Retries failed refetches, each key after its own pauses. */
export class Retries {
  readonly #failing = new Map<string, Failing>();
  // The keys that were refused since the last `error` event.
  readonly #refused = new Set<string>();

  constructor(private readonly tryAgain: (key: string) => void) {}

  isPausing(key: string): boolean {
    return Boolean(this.#failing.get(key)?.timer);
  }

  failed(key: string, isRefusal: boolean): void {
    const failing = this.#failing.get(key) ?? neverFailed();
    this.#failing.set(key, failing);
    const pause = (isRefusal ? failing.refused : failing.usual).next();
    failing.timer = setTimeout(() => this.#retryNow(key, failing), pause);
  }

  /** Ends the pauses of all other keys, because the server works again. */
  succeeded(key: string): void {
    this.endPause(key);
    this.#failing.delete(key);
    for (const [other, failing] of this.#failing) {
      // Only once: a key that always fails must not be retried at each success of others.
      if (!failing.timer || failing.wasTriedEarly) continue;
      failing.wasTriedEarly = true;
      this.#retryNow(other, failing);
    }
  }

  /** Ends the pause of a key, because a new event may change the result. */
  endPause(key: string): void {
    const failing = this.#failing.get(key);
    if (failing?.timer) clearTimeout(failing.timer);
    if (failing) failing.timer = null;
  }

  /** Forgets all failures. */
  clear(): void {
    for (const key of this.#failing.keys()) this.endPause(key);
    this.#failing.clear();
  }

  /** Whether it is the first refusal of a round, in which each key is refused once. */
  beginsRound(key: string): boolean {
    const isFirst = this.#refused.size === 0 || this.#refused.has(key);
    if (isFirst) this.#refused.clear();
    this.#refused.add(key);
    return isFirst;
  }

  #retryNow(key: string, failing: Failing): void {
    if (failing.timer) clearTimeout(failing.timer);
    failing.timer = null;
    this.tryAgain(key);
  }
}

function neverFailed(): Failing {
  return { usual: Backoff.reconnecting(), refused: Backoff.refused(), timer: null, wasTriedEarly: false };
}
