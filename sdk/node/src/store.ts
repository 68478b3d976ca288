import { Coalesced } from "./coalescing.js";
import type { Disk } from "./disk.js";
import { ClientClosedError, isRefusal, NotFoundError, PromptOpsError, RequestTimeoutError } from "./errors.js";
import type { Fetched, Fetching } from "./fetching.js";
import type { ChangeEvent } from "./events.js";
import type { Copy, LastKnown } from "./lastknown.js";
import { Failures, type Held, type Memory } from "./memory.js";
import { FetchOutage } from "./outages.js";
import { assigned, type Prompt, type Source, type Whole } from "./prompts.js";
import type { Stamp } from "./revisions.js";
import type { Warnings } from "./warnings.js";

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
  /** Whether there is a watch, which warns of what it can't refetch. */
  readonly isWatching: boolean;
}

/** How a prompt is asked for. */
export interface Request {
  readonly subject: string | undefined;
  readonly refresh: boolean;
  readonly hasDefault: boolean;
}

const BETWEEN_BACKGROUND_FAILURES = 1000;
// Not a key that a prompt can have.
const SNAPSHOT = "";

/** Answers prompts: from memory, else from the server, else from what was put aside. */
export class Store {
  readonly #fetches = new Coalesced((key) => this.#fetch(key));
  readonly #failures = new Failures();
  readonly #outage = new FetchOutage();
  readonly #snapshots = new Coalesced(() => this.#fetchSnapshot());
  #observer!: Observer;
  #closed = false;

  constructor(
    private readonly fetching: Fetching,
    private readonly memory: Memory,
    private readonly disk: Disk | null,
    private readonly lastKnown: LastKnown,
    private readonly warnings: Warnings,
    private readonly options: { readonly timeout: number; readonly maxAge: number },
  ) {}

  observe(observer: Observer): void {
    this.#observer = observer;
  }

  /** The answer to a call; rejects with a PromptOpsError. */
  async get(key: string, { subject, refresh, hasDefault }: Request): Promise<Prompt> {
    const held = this.memory.get(key);
    if (held && !refresh) {
      this.#refreshIfOld(key, held);
      return this.answer(held, "memory", subject);
    }
    const copy = refresh || this.#closed ? null : await this.#insteadOfServer(key, hasDefault);
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

  /** Has all prompts of the environment held; resolves with their keys. Rejects as a fetch does. */
  preload(): Promise<string[]> {
    return this.#snapshots.join(SNAPSHOT);
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

  /** A snapshot may bring any prompt. */
  isFetching(key: string): boolean {
    return this.#snapshots.isRunning(SNAPSHOT) || this.#fetches.isRunning(key);
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
    this.fetching.endHanging();
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
    const fetches = this.#fetches.runningKeys().map((key) => this.#fetches.join(key));
    const snapshots = this.#snapshots.runningKeys().map((key) => this.#snapshots.join(key));
    await Promise.allSettled([...fetches, ...snapshots]);
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

  /**
   * A key that has failed keeps nobody waiting for the server again, if there is a copy of it. A server
   * that hangs does so for no key at all, if there is a copy or a default.
   */
  async #insteadOfServer(key: string, hasDefault: boolean): Promise<Copy | null> {
    const failure = this.#failures.get(key);
    const { isHanging } = this.fetching;
    if (!failure && !isHanging) return null;
    const copy = await this.lastKnown.find(key);
    const isPausing = failure !== undefined && performance.now() < failure.until;
    if (!copy && isPausing) throw failure.error;
    const isAnswered = copy !== null || (isHanging && hasDefault);
    if (isAnswered && !isPausing) this.#fetchInBackground(key);
    if (!copy && isAnswered) throw new RequestTimeoutError("the server did not answer in time");
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
    this.fetching.hearEpoch(told.epoch);
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
        if (!this.#observer.isWatching) this.#outage.failed(key, error);
        if (isRefusal(error)) this.#observer.refused(key, error);
      }
      throw error;
    }
  }

  async #fetchSnapshot(): Promise<string[]> {
    try {
      const told = (): Stamp => this.#observer.told();
      const { stamp, prompts } = await this.fetching.fetchSnapshot(told, this.warnings);
      this.#outage.succeeded(SNAPSHOT);
      for (const whole of prompts) this.#putOfSnapshot(whole, stamp);
      return prompts.map(({ served }) => served.key).filter((key) => this.memory.get(key));
    } catch (error) {
      if (error instanceof PromptOpsError && !(error instanceof ClientClosedError)) {
        if (!this.#observer.isWatching) this.#outage.failed(SNAPSHOT, error);
        if (isRefusal(error)) this.#observer.refused(SNAPSHOT, error);
      }
      throw error;
    }
  }

  /** Unless something newer is known of it. */
  #putOfSnapshot(whole: Whole, stamp: Stamp): void {
    const { key } = whole.served;
    const before = this.memory.get(key);
    if (this.fetching.isStale(key, stamp)) return;
    this.#succeeded(key);
    if (before && isSameText(before.whole.text, whole.text)) {
      // Its ETag is still right.
      this.memory.confirm(key, before, stamp);
      return;
    }
    const held = this.memory.keep(key, whole, stamp, null);
    this.#put(key, { held, before, whole }, this.#observer.told());
  }

  #put(key: string, { held, before, whole }: Fetched, told: Stamp): void {
    if (!before) this.#observer.added(key, held, told);
    else if (before.whole.text !== held.whole.text) this.#observer.changed(key, held);
    if (whole !== null && held.whole === whole) void this.disk?.write(key, whole, held.stamp);
  }

  #succeeded(key: string): void {
    this.#failures.clear(key);
    this.#outage.succeeded(key);
    this.lastKnown.forget(key);
  }
}

function isSameText(text: string, compact: string): boolean {
  return text === compact || JSON.stringify(JSON.parse(text)) === compact;
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
