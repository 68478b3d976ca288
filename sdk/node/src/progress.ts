import type { ChangeEvent } from "./events.js";
import type { Stamp } from "./revisions.js";

/** A prompt that has to be fetched anew. */
export interface Due {
  readonly key: string;
  /** No revision from here on is applied while it is due; 0 where nothing may be. */
  readonly first: number;
  /** The refetch has to reach it; null where a server of before told no number. */
  revision: number | null;
  /** The newest that asks for it; null where it is due for another reason. */
  event: ChangeEvent | null;
}

/** How far the server has told of changes, and up to where they are applied. */
export class Progress {
  #epoch: string | null = null;
  // Null between a hello of another epoch and the resync that follows.
  #told: number | null = null;
  readonly #due = new Map<string, Due>();

  get told(): Stamp {
    return { revision: this.#told, epoch: this.#epoch };
  }

  /** Null where nothing is known to be applied. */
  get applied(): number | null {
    if (this.#told === null) return null;
    let first = this.#told + 1;
    for (const due of this.#due.values()) first = Math.min(first, due.first);
    return first > 0 ? first - 1 : null;
  }

  get isComplete(): boolean {
    return this.#told !== null && this.isIdle;
  }

  /** Whether nothing has to be fetched. */
  get isIdle(): boolean {
    return this.#due.size === 0;
  }

  /** The parameters of the next connection that say from where on changes are to be told. */
  get position(): { since: string; epoch: string | undefined } {
    const { applied } = this;
    if (applied === null || this.#epoch === null) return { since: "0", epoch: undefined };
    return { since: String(applied), epoch: this.#epoch };
  }

  /** What was told and not applied will be told again. */
  disconnected(): void {
    this.#told = this.applied;
    this.#due.clear();
  }

  greeted(epoch: string): void {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#told = null;
    this.#due.clear();
  }

  /** All these keys are due, as of there. */
  resync(epoch: string, revision: number, keys: readonly string[]): void {
    this.#epoch = epoch;
    this.#told = revision;
    this.#due.clear();
    for (const key of keys) this.#due.set(key, { key, first: 0, revision, event: null });
  }

  /** Whether it is news. */
  hear(revision: number): boolean {
    if (this.#told === null || revision <= this.#told) return false;
    this.#told = revision;
    return true;
  }

  /** Events of one key that wait together are one refetch, of the newest revision. */
  add(key: string, revision: number | null, event: ChangeEvent | null): void {
    const due = this.#due.get(key);
    if (due) Object.assign(due, { revision, event });
    else this.#due.set(key, { key, first: revision ?? 0, revision, event });
  }

  /** A copy of revision `reached` came although `revision` was told before. */
  addBehind(key: string, reached: number, revision: number): void {
    if (!this.#due.has(key)) this.#due.set(key, { key, first: reached + 1, revision, event: null });
  }

  /** Likewise while no connection stands: the next one has to tell again what came after it. */
  goBackTo(reached: number): void {
    if (this.#told !== null) this.#told = Math.min(this.#told, reached);
  }

  get(key: string): Due | undefined {
    return this.#due.get(key);
  }

  done(key: string): void {
    this.#due.delete(key);
  }
}
