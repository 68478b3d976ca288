import { randomBetween } from "./backoff.js";
import { drawVariant, type PromptState, type FullPrompt } from "./prompts.js";
import { isBefore, type FeedPosition } from "./feed-position.js";

/** A cached copy of a prompt. */
export interface CachedPrompt {
  readonly fullPrompt: FullPrompt;
  /** The variant for calls without a subject, until the next fetch. */
  readonly drawnVariant: Readonly<PromptState>;
  readonly position: FeedPosition;
  /** When the server last confirmed the copy, in milliseconds of `performance.now`. */
  readonly confirmedAt: number;
  readonly etag: string | null;
}

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;
const LONGEST_HANGING = 30_000;

/** The cached copies of a client. */
export class CachedPrompts {
  readonly #cached = new Map<string, CachedPrompt>();
  #allConfirmedAt = 0;

  get(key: string): CachedPrompt | undefined {
    return this.#cached.get(key);
  }

  keys(): string[] {
    return [...this.#cached.keys()];
  }

  /** Caches the prompt unless the cached copy is newer; returns the cached copy. */
  store(key: string, fullPrompt: FullPrompt, position: FeedPosition, etag: string | null): CachedPrompt {
    const cached = this.#cached.get(key);
    if (cached && isBefore(position, cached.position)) return cached;
    const entry = { fullPrompt, drawnVariant: drawVariant(fullPrompt), position, confirmedAt: performance.now(), etag };
    this.#cached.set(key, entry);
    return entry;
  }

  /** Confirms the copy after a 304. */
  confirm(key: string, cached: CachedPrompt, position: FeedPosition): CachedPrompt {
    const newest = position.revision === null || isBefore(position, cached.position) ? cached.position : position;
    // Each fetch draws the variant, including this one.
    const drawnVariant = drawVariant(cached.fullPrompt);
    const confirmed = { ...cached, drawnVariant, position: newest, confirmedAt: performance.now() };
    this.#cached.set(key, confirmed);
    return confirmed;
  }

  /** Confirms all copies. */
  confirmAll(): void {
    this.#allConfirmedAt = performance.now();
  }

  /** Removes the copy; returns whether there was one. */
  remove(key: string): boolean {
    return this.#cached.delete(key);
  }

  /** The milliseconds since the server last confirmed the copy. */
  ageOf(cached: CachedPrompt): number {
    return performance.now() - Math.max(cached.confirmedAt, this.#allConfirmedAt);
  }
}

/** Tracks a server that hangs, so that it costs one time-out and not one for each key. */
export class HangingServer {
  #until = -Infinity;

  /** Notes a time-out: the next caller with a fallback should not wait, too. */
  recordTimeout(): void {
    this.#until = performance.now() + LONGEST_HANGING;
  }

  /** Notes that the server responded. */
  recordResponse(): void {
    this.#until = -Infinity;
  }

  /** Whether the server timed out recently and has not responded since. */
  get isActive(): boolean {
    return performance.now() < this.#until;
  }
}

/** Why a fetch failed, and until when prompts that are not cached are not fetched again. */
export interface Failure {
  readonly error: Error;
  readonly at: number;
  readonly until: number;
}

/** The last failure of each key since its last success. */
export class Failures {
  readonly #failures = new Map<string, Failure>();
  readonly #pauses = new Map<string, number>();

  note(key: string, error: Error): void {
    const pause = this.#pauses.get(key) ?? FIRST_PAUSE;
    this.#pauses.set(key, Math.min(pause * 2, LONGEST_PAUSE));
    const at = performance.now();
    // Wait at least half of it, so that fallbacks do not trigger a fetch immediately.
    this.#failures.set(key, { error, at, until: at + randomBetween(pause / 2, pause) });
  }

  get(key: string): Failure | undefined {
    return this.#failures.get(key);
  }

  clear(key: string): void {
    this.#failures.delete(key);
    this.#pauses.delete(key);
  }

  /** Ends all pauses because the server is back. The failures are kept, because it may still be slow. */
  endPauses(): void {
    for (const [key, { error }] of this.#failures) this.#failures.set(key, { error, at: -Infinity, until: -Infinity });
    this.#pauses.clear();
  }
}
