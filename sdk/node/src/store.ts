import { Coalesced } from "./coalescing.js";
import type { Disk } from "./disk.js";
import { ClientClosedError, isRefusal, NotFoundError, PromptOpsError, RequestTimeoutError } from "./errors.js";
import type { Fetched, Fetching } from "./fetching.js";
import type { ChangeEvent } from "./listeners.js";
import type { Copy, LastKnown } from "./lastknown.js";
import { type Failure, Failures, type Held, type Memory } from "./memory.js";
import { assigned, type Prompt, type Source, type Whole } from "./prompts.js";
import type { Stamp } from "./revisions.js";

/** Who learns of what happens to the prompts that are held. */
export interface Observer {
  /** A key is held that was not. */
  added(key: string, held: Held, toldAtStart: Stamp): void;
  /** What is held is another one than before. */
  changed(key: string, held: Held): void;
  /** A prompt that was held is gone; the event told so, if there is one. */
  removed(key: string, event: ChangeEvent | null): void;
  /** The token was refused when this key was fetched. */
  refused(key: string, error: PromptOpsError): void;
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
  #observer!: Observer;
  #closed = false;

  constructor(
    private readonly fetching: Fetching,
    private readonly memory: Memory,
    private readonly disk: Disk | null,
    private readonly lastKnown: LastKnown,
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
    const failure = refresh || this.#closed ? undefined : this.#failures.get(key);
    const copy = failure && (await this.#insteadOfServer(key, failure));
    if (copy) return answerOfCopy(copy, subject);
    try {
      const fetching = refresh ? this.#fresh(key) : this.#fetches.join(key);
      return this.answer((await fetching).held, "server", subject);
    } catch (error) {
      if (error instanceof NotFoundError || !(error instanceof PromptOpsError)) throw error;
      const stays = this.memory.get(key);
      if (stays) return this.answer(stays, "memory", subject);
      const copy = error instanceof ClientClosedError ? null : await this.lastKnown.find(key);
      if (!copy) throw error;
      return answerOfCopy(copy, subject);
    }
  }

  /** Answers from before this are refused. */
  want(key: string, stamp: Stamp): void {
    this.fetching.want(key, stamp);
  }

  /** Has the server's copy of this revision or a later one held. */
  async refetch(key: string, stamp: Stamp): Promise<Held> {
    this.want(key, stamp);
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
  forget(key: string, event: ChangeEvent | null = null): void {
    this.#succeeded(key);
    void this.disk?.remove(key);
    if (this.memory.forget(key)) this.#observer.removed(key, event);
  }

  /** The server is there again: nothing waits for a pause to end. */
  endPauses(): void {
    this.#failures.endPauses();
    this.lastKnown.forgetAll();
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
    if (!hasJustFailed) this.#fetchInBackground(key);
  }

  #fetchInBackground(key: string): void {
    // A failure is noted, and what is known goes on to be answered.
    this.#fetches.join(key).catch(() => undefined);
  }

  /** A key that has failed keeps nobody waiting for the server again, if there is a copy of it. */
  async #insteadOfServer(key: string, failure: Failure): Promise<Copy | null> {
    const copy = await this.lastKnown.find(key);
    const isPausing = performance.now() < failure.until;
    if (!copy && isPausing) throw failure.error;
    if (copy && !isPausing) this.#fetchInBackground(key);
    return copy;
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
      this.#put(key, fetched, told);
      return fetched;
    } catch (error) {
      if (error instanceof NotFoundError) this.forget(key);
      else if (error instanceof PromptOpsError && !(error instanceof ClientClosedError)) {
        this.#failures.note(key, error);
        this.lastKnown.forget(key);
        if (isRefusal(error)) this.#observer.refused(key, error);
      }
      throw error;
    }
  }

  #put(key: string, { held, before, whole }: Fetched, told: Stamp): void {
    if (!before) this.#observer.added(key, held, told);
    else if (before.whole.text !== held.whole.text) this.#observer.changed(key, held);
    if (whole !== null && held.whole === whole) void this.disk?.write(key, whole, held.stamp);
  }

  #succeeded(key: string): void {
    this.#failures.clear(key);
    this.lastKnown.forget(key);
  }
}

function answerOfCopy({ whole, drawn, source, revision, savedAt }: Copy, subject: string | undefined): Prompt {
  const age = savedAt === null ? null : Math.max(Date.now() - savedAt, 0) / 1000;
  return answerOf(whole, drawn, subject, source, revision, age);
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
