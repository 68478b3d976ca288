import type { ChangeEvent } from "./events.js";
import type { FeedPosition } from "./feed-position.js";

/** A prompt that has to be refetched. */
export interface Due {
  readonly key: string;
  /** The oldest revision that is not applied while it is due; 0 if unknown. */
  readonly first: number;
  /** The revision that the refetch requires; null from an older server, which sends none. */
  revision: number | null;
  /** The newest event of the key; null if it is due for another reason. */
  event: ChangeEvent | null;
}

/** Which changes were received from the server, and which are applied. */
export class Progress {
  #epoch: string | null = null;
  // Null between the hello of another epoch and the resync that follows.
  #received: number | null = null;
  readonly #due = new Map<string, Due>();

  get received(): FeedPosition {
    return { revision: this.#received, epoch: this.#epoch };
  }

  /** The applied revision; null if unknown. */
  get applied(): number | null {
    if (this.#received === null) return null;
    let first = this.#received + 1;
    for (const due of this.#due.values()) first = Math.min(first, due.first);
    return first > 0 ? first - 1 : null;
  }

  get isComplete(): boolean {
    return this.#received !== null && this.isIdle;
  }

  /** Whether no refetch is due. */
  get isIdle(): boolean {
    return this.#due.size === 0;
  }

  /** The parameters of the next connection, which resume at the applied revision. */
  get resumeParameters(): { since: string; epoch: string | undefined } {
    const { applied } = this;
    if (applied === null || this.#epoch === null) return { since: "0", epoch: undefined };
    return { since: String(applied), epoch: this.#epoch };
  }

  /** The server will resend changes that were received and not applied. */
  disconnected(): void {
    this.#received = this.applied;
    this.#due.clear();
  }

  helloReceived(epoch: string): void {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#received = null;
    this.#due.clear();
  }

  /** Makes all these keys due at this revision. */
  resync(epoch: string, revision: number, keys: readonly string[]): void {
    this.#epoch = epoch;
    this.#received = revision;
    this.#due.clear();
    for (const key of keys) this.#due.set(key, { key, first: 0, revision, event: null });
  }

  /** Moves to the revision; returns whether it is new. */
  receive(revision: number): boolean {
    if (this.#received === null || revision <= this.#received) return false;
    this.#received = revision;
    return true;
  }

  /** Events of one key that wait together cause one refetch, at the newest revision. */
  add(key: string, revision: number | null, event: ChangeEvent | null): void {
    const due = this.#due.get(key);
    if (due) Object.assign(due, { revision, event });
    else this.#due.set(key, { key, first: revision ?? 0, revision, event });
  }

  /**
   * Makes the key due because a copy of revision `reached` arrived, although `revision` was received before.
   */
  addOutdated(key: string, reached: number, revision: number): void {
    if (!this.#due.has(key)) this.#due.set(key, { key, first: reached + 1, revision, event: null });
  }

  /** Moves back while the connection is lost, so that the next one resends what came after `reached`. */
  rewindTo(reached: number): void {
    if (this.#received !== null) this.#received = Math.min(this.#received, reached);
  }

  get(key: string): Due | undefined {
    return this.#due.get(key);
  }

  done(key: string): void {
    this.#due.delete(key);
  }
}
