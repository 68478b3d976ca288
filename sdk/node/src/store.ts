import type { Bundle } from "./bundle.js";
import { Coalesced } from "./coalescing.js";
import type { Disk } from "./disk.js";
import { ClientClosedError, isRefusal, NotFoundError, PromptOpsError, RequestTimeoutError } from "./errors.js";
import type { Fetched, Fetching } from "./fetching.js";
import type { ChangeEvent } from "./listeners.js";
import { Failures, type Held, type Memory } from "./memory.js";
import { assigned, drawnFrom, type Prompt, type Source, type Whole } from "./prompts.js";
import type { Stamp } from "./revisions.js";

/** Who learns of what happens to the prompts that are held. */
export interface Observer {
  /** A key is held that was not. */
  added(key: string, held: Held, toldAtStart: Stamp): void;
  /** What is held is another one than before. */
  changed(key: string, held: Held): void;
  /** A prompt that was held is gone; the event told so, if there is one. */
  removed(key: string, event: ChangeEvent | null): void;
  refused(error: PromptOpsError): void;
  /** Up to where the watch has been told of changes. */
  told(): Stamp;
  /** Whether what is held is kept up to date by a connection that is well. */
  isWell(): boolean;
}

const BETWEEN_BACKGROUND_FAILURES = 1000;

/** Answers prompts: from memory, else from the server, else from what was put aside. */
export class Store {
  readonly #fetches = new Coalesced((key) => this.#fetch(key));
  readonly #failures = new Failures();
  // What is answered during the pause after a failure.
  readonly #fallbacks = new Map<string, Promise<Answerable | null>>();
  #observer!: Observer;
  #closed = false;

  constructor(
    private readonly fetching: Fetching,
    private readonly memory: Memory,
    private readonly disk: Disk | null,
    private readonly bundle: Bundle | null,
    private readonly options: { readonly timeout: number; readonly maxAge: number },
  ) {}

  observe(observer: Observer): void {
    this.#observer = observer;
  }

  /** The answer to a call; rejects with a PromptOpsError. */
  async get(key: string, subject: string | undefined, refresh: boolean): Promise<Prompt> {
    const held = this.memory.get(key);
    if (held && !refresh) {
      this.#refreshIfOld(key, held);
      return this.answer(held, "memory", subject);
    }
    const failure = refresh ? undefined : this.#failures.pausing(key);
    if (failure && !this.#closed) return this.#fallback(key, subject, failure.error);
    try {
      const fetching = refresh ? this.#fresh(key) : this.#fetches.join(key);
      return this.answer((await fetching).held, "server", subject);
    } catch (error) {
      if (error instanceof NotFoundError || !(error instanceof PromptOpsError)) throw error;
      const stays = this.memory.get(key);
      if (stays) return this.answer(stays, "memory", subject);
      return this.#fallback(key, subject, error);
    }
  }

  /** Has the server's copy of this revision or a later one held. */
  async refetch(key: string, stamp: Stamp): Promise<Held> {
    this.fetching.want(key, stamp);
    return (await this.#fetches.fresh(key)).held;
  }

  held(key: string): Held | undefined {
    return this.memory.get(key);
  }

  heldKeys(): string[] {
    return this.memory.keys();
  }

  /** Those held, and those that may be held soon. */
  concernedKeys(): string[] {
    return [...new Set([...this.memory.keys(), ...this.#fetches.runningKeys()])];
  }

  isFetching(key: string): boolean {
    return this.#fetches.isRunning(key);
  }

  /** The server says that there is no such prompt. */
  async forget(key: string, event: ChangeEvent | null = null): Promise<void> {
    this.#succeeded(key);
    if (this.memory.forget(key)) this.#observer.removed(key, event);
    await this.disk?.remove(key);
  }

  /** The server is there again: nothing waits for a pause to end. */
  endPauses(): void {
    this.#failures.clearAll();
    this.#fallbacks.clear();
  }

  confirmAll(): void {
    this.memory.confirmAll();
  }

  answer(held: Held, source: Source, subject: string | undefined): Prompt {
    const { revision } = held.stamp;
    return answerOf(held.whole, held.drawn, subject, source, revision, this.memory.ageOf(held) / 1000);
  }

  /** What is held can still be read afterwards; resolves when the files on disk are written. */
  async close(): Promise<void> {
    this.#closed = true;
    this.fetching.close();
    await Promise.allSettled(this.#fetches.runningKeys().map((key) => this.#fetches.join(key)));
    await this.disk?.settled();
  }

  #refreshIfOld(key: string, held: Held): void {
    if (this.#closed || this.#observer.isWell() || this.memory.ageOf(held) <= this.options.maxAge) return;
    const failure = this.#failures.get(key);
    const hasJustFailed = failure && performance.now() - failure.at < BETWEEN_BACKGROUND_FAILURES;
    if (hasJustFailed || this.#fetches.isRunning(key)) return;
    // A failure is noted, and what is held goes on to be answered.
    this.#fetches.join(key).catch(() => undefined);
  }

  /** A fetch that begins now, with the time-out for the wait for one that runs already, too. */
  #fresh(key: string): Promise<Fetched> {
    const fetching = this.#fetches.fresh(key);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new RequestTimeoutError("the server did not answer in time"));
      }, this.options.timeout);
      fetching.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  async #fetch(key: string): Promise<Fetched> {
    const told = this.#observer.told();
    try {
      const fetched = await this.fetching.fetch(key);
      this.#succeeded(key);
      await this.#put(key, fetched, told);
      return fetched;
    } catch (error) {
      if (error instanceof NotFoundError) await this.forget(key);
      else if (error instanceof PromptOpsError && !(error instanceof ClientClosedError)) {
        this.#failures.note(key, error);
        this.#fallbacks.delete(key);
        if (isRefusal(error)) this.#observer.refused(error);
      }
      throw error;
    }
  }

  async #put(key: string, { held, before, whole }: Fetched, told: Stamp): Promise<void> {
    if (!before) this.#observer.added(key, held, told);
    else if (before.whole.text !== held.whole.text) this.#observer.changed(key, held);
    if (whole !== null && held.whole === whole) await this.disk?.write(key, whole, held.stamp);
  }

  #succeeded(key: string): void {
    this.#failures.clear(key);
    this.#fallbacks.delete(key);
  }

  async #fallback(key: string, subject: string | undefined, error: Error): Promise<Prompt> {
    if (error instanceof ClientClosedError) throw error;
    let reading = this.#fallbacks.get(key);
    if (!reading) {
      reading = this.#putAside(key);
      this.#fallbacks.set(key, reading);
    }
    const found = await reading;
    if (!found) throw error;
    const age = found.savedAt === null ? null : Math.max(Date.now() - found.savedAt, 0) / 1000;
    return answerOf(found.whole, found.drawn, subject, found.source, found.revision, age);
  }

  async #putAside(key: string): Promise<Answerable | null> {
    const saved = await this.disk?.read(key);
    if (saved) {
      const { whole, stamp, savedAt } = saved;
      return { whole, drawn: drawnFrom(whole), source: "disk", revision: stamp.revision, savedAt };
    }
    const whole = await this.bundle?.read(key);
    if (!whole) return null;
    return { whole, drawn: drawnFrom(whole), source: "bundle", revision: null, savedAt: null };
  }
}

interface Answerable {
  readonly whole: Whole;
  readonly drawn: Held["drawn"];
  readonly source: Source;
  readonly revision: number | null;
  readonly savedAt: number | null;
}

function answerOf(
  whole: Whole,
  drawn: Held["drawn"],
  subject: string | undefined,
  source: Source,
  revision: number | null,
  age: number | null,
): Prompt {
  const state = subject === undefined ? drawn : assigned(whole, subject);
  return { ...state, source, revision, age };
}
