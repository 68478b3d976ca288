import { randomBetween } from "./backoff.js";
import { drawnFrom, type PromptState, type Whole } from "./prompts.js";
import { isBefore, type Stamp } from "./revisions.js";

/** A copy of a prompt in memory. */
export interface Held {
  readonly whole: Whole;
  /** What a call without a subject gets until the next fetch. */
  readonly drawn: Readonly<PromptState>;
  readonly stamp: Stamp;
  /** When the server last said that this is the prompt, in milliseconds of `performance.now`. */
  readonly confirmedAt: number;
  readonly etag: string | null;
}

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;
const LONGEST_HANGING = 30_000;

/** What a client holds. */
export class Memory {
  readonly #held = new Map<string, Held>();
  #allConfirmedAt = 0;

  get(key: string): Held | undefined {
    return this.#held.get(key);
  }

  keys(): string[] {
    return [...this.#held.keys()];
  }

  /** Holds what the server sent, unless what is held is newer; answers what is held. */
  keep(key: string, whole: Whole, stamp: Stamp, etag: string | null): Held {
    const held = this.#held.get(key);
    if (held && isBefore(stamp, held.stamp)) return held;
    const kept = { whole, drawn: drawnFrom(whole), stamp, confirmedAt: performance.now(), etag };
    this.#held.set(key, kept);
    return kept;
  }

  /** The server says that it still is what is held. */
  confirm(key: string, held: Held, stamp: Stamp): Held {
    const newest = stamp.revision === null || isBefore(stamp, held.stamp) ? held.stamp : stamp;
    // A fetch like any other: it draws anew.
    const drawn = drawnFrom(held.whole);
    const confirmed = { ...held, drawn, stamp: newest, confirmedAt: performance.now() };
    this.#held.set(key, confirmed);
    return confirmed;
  }

  /** The server says that all that is held still is so. */
  confirmAll(): void {
    this.#allConfirmedAt = performance.now();
  }

  /** Whether it was held. */
  forget(key: string): boolean {
    return this.#held.delete(key);
  }

  /** Milliseconds since the server last confirmed it. */
  ageOf(held: Held): number {
    return performance.now() - Math.max(held.confirmedAt, this.#allConfirmedAt);
  }
}

/** The outages of a server that hangs: each costs one time-out, not one for each key. */
export class Hanging {
  #until = -Infinity;

  /** A fetch has timed out: the next caller who can be answered otherwise should not wait, too. */
  timedOut(): void {
    this.#until = performance.now() + LONGEST_HANGING;
  }

  /** The server has answered something. */
  ended(): void {
    this.#until = -Infinity;
  }

  /** Whether the server has timed out lately, and has not answered since. */
  get lasts(): boolean {
    return performance.now() < this.#until;
  }
}

/** Why the server's copy could not be got, and until when it isn't asked for what is not held. */
export interface Failure {
  readonly error: Error;
  readonly at: number;
  readonly until: number;
}

/** The last failure of each key, since its last success. */
export class Failures {
  readonly #failures = new Map<string, Failure>();
  readonly #pauses = new Map<string, number>();

  note(key: string, error: Error): void {
    const pause = this.#pauses.get(key) ?? FIRST_PAUSE;
    this.#pauses.set(key, Math.min(pause * 2, LONGEST_PAUSE));
    const at = performance.now();
    // Half of it at least: what is answered meanwhile must not ask at once.
    this.#failures.set(key, { error, at, until: at + randomBetween(pause / 2, pause) });
  }

  get(key: string): Failure | undefined {
    return this.#failures.get(key);
  }

  clear(key: string): void {
    this.#failures.delete(key);
    this.#pauses.delete(key);
  }

  /** The server is there again. That they have failed is not forgotten: it may still be slow. */
  endPauses(): void {
    for (const [key, { error }] of this.#failures) this.#failures.set(key, { error, at: -Infinity, until: -Infinity });
    this.#pauses.clear();
  }
}
