/**
 * Exponential backoff with full jitter, in milliseconds: the n-th pause is random between `shortest` and
 * `initial * 2**n`, at most `longest`, so that clients that lost the same server do not reconnect at the same
 * moment. Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
 */
export class Backoff {
  #ceiling: number;

  constructor(
    private readonly initial: number,
    private readonly longest: number,
    private readonly shortest = 0,
  ) {
    this.#ceiling = initial;
  }

  /** After a lost connection or a failed refetch. */
  static reconnecting(): Backoff {
    return new Backoff(500, 10_000);
  }

  /** After a refused token, which rarely becomes valid by itself. */
  static refused(): Backoff {
    return new Backoff(30_000, 300_000, 10_000);
  }

  /** The next pause; each call doubles the ceiling of the next one. */
  next(): number {
    const ceiling = this.#ceiling;
    this.#ceiling = Math.min(ceiling * 2, this.longest);
    return randomBetween(this.shortest, ceiling);
  }

  /** Starts again at `initial`, after a success. */
  reset(): void {
    this.#ceiling = this.initial;
  }
}

/** Spreads load; protects no secret. */
export function randomBetween(least: number, most: number): number {
  return least + Math.random() * (most - least);
}
