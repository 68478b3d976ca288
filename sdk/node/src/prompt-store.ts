import { Coalesced } from "./coalescing.js";
import type { DiskCache } from "./disk-cache.js";
import { ClientClosedError, isRefusal, NotFoundError, PromptOpsError, RequestTimeoutError } from "./errors.js";
import type { FetchResult, FetchPolicy } from "./fetch-policy.js";
import type { ChangeEvent } from "./events.js";
import type { FallbackCopy, FallbackCopies } from "./fallback-copies.js";
import { Failures, type CachedPrompt, type CachedPrompts } from "./cached-prompts.js";
import { FetchOutage } from "./fetch-outage.js";
import { variantFor, type Prompt, type Source, type FullPrompt } from "./prompts.js";
import type { FeedPosition } from "./feed-position.js";
import type { Warnings } from "./warnings.js";

/** Is notified of changes of the cached prompts. */
export interface Observer {
  /** A prompt was cached for the first time. */
  copyAdded(key: string, cached: CachedPrompt, positionAtStart: FeedPosition): void;
  /** A cached copy was replaced by a different one. */
  copyChanged(key: string, cached: CachedPrompt): void;
  /** A cached prompt was removed; the event is null if the server sent none. */
  promptRemoved(key: string, event: ChangeEvent | null): void;
  /** The server refused the token when this key was fetched. */
  tokenRefused(key: string, error: PromptOpsError): void;
  /** The position that the watch has received. */
  feedPosition(): FeedPosition;
  /** Whether a working connection keeps the cached prompts up to date. */
  isUpToDate(): boolean;
  /** Whether there is a watch, which warns of failed refetches. */
  readonly isWatching: boolean;
}

/** The options of a call. */
export interface Request {
  readonly subject: string | undefined;
  readonly refresh: boolean;
  readonly hasDefault: boolean;
}

const BETWEEN_BACKGROUND_FAILURES = 1000;
// No prompt can have this key.
const SNAPSHOT = "";

/** Returns prompts from memory, from the server, or from fallback copies. */
export class PromptStore {
  readonly #fetches = new Coalesced((key) => this.#fetch(key));
  readonly #failures = new Failures();
  readonly #outage = new FetchOutage();
  readonly #snapshots = new Coalesced(() => this.#fetchSnapshot());
  #observer!: Observer;
  #closed = false;

  constructor(
    private readonly policy: FetchPolicy,
    private readonly copies: CachedPrompts,
    private readonly disk: DiskCache | null,
    private readonly fallbackCopies: FallbackCopies,
    private readonly warnings: Warnings,
    private readonly options: { readonly timeout: number; readonly maxAge: number },
  ) {}

  observe(observer: Observer): void {
    this.#observer = observer;
  }

  /** Resolves with the prompt for a call; rejects with a PromptOpsError. */
  async getPrompt(key: string, { subject, refresh, hasDefault }: Request): Promise<Prompt> {
    const cached = this.copies.get(key);
    if (cached && !refresh) {
      this.#refreshIfOld(key, cached);
      return this.toPrompt(cached, "memory", subject);
    }
    const copy = refresh || this.#closed ? null : await this.#fallbackInstead(key, hasDefault);
    if (copy) return promptOfFallback(copy, subject);
    try {
      const fetched = await (refresh ? this.#fetchAnew(key) : this.#fetches.join(key));
      return this.toPrompt(fetched.cached, "server", subject);
    } catch (error) {
      if (error instanceof NotFoundError || !(error instanceof PromptOpsError)) throw error;
      const current = this.copies.get(key);
      if (current) return this.toPrompt(current, "memory", subject);
      const copy = error instanceof ClientClosedError ? null : await this.fallbackCopies.find(key);
      if (!copy) throw error;
      return promptOfFallback(copy, subject);
    }
  }

  /** Caches all prompts of the environment; resolves with their keys. Rejects with the errors of a fetch. */
  preload(): Promise<string[]> {
    return this.#snapshots.join(SNAPSHOT);
  }

  /** Rejects responses from before this position. */
  requirePosition(key: string, position: FeedPosition): void {
    this.policy.requirePosition(key, position);
  }

  /** Caches the server's copy at this position or a later one. */
  async refetch(key: string, position: FeedPosition): Promise<CachedPrompt> {
    this.requirePosition(key, position);
    return (await this.#fetches.callAnew(key)).cached;
  }

  cached(key: string): CachedPrompt | undefined {
    return this.copies.get(key);
  }

  cachedKeys(): string[] {
    return this.copies.keys();
  }

  /** The keys that are cached or may be soon. */
  relevantKeys(): string[] {
    return [...new Set([...this.copies.keys(), ...this.#fetches.runningKeys()])];
  }

  /** Whether the key is being fetched; a snapshot may bring any prompt. */
  isFetching(key: string): boolean {
    return this.#snapshots.isRunning(SNAPSHOT) || this.#fetches.isRunning(key);
  }

  /** Removes a prompt that does not exist. */
  removePrompt(key: string, event: ChangeEvent | null = null): void {
    this.#recordSuccess(key);
    void this.disk?.remove(key);
    if (this.copies.remove(key)) this.#observer.promptRemoved(key, event);
  }

  /** Ends all pauses because the server is back. */
  endPauses(): void {
    this.#failures.endPauses();
    this.policy.endHanging();
    this.fallbackCopies.forgetAll();
  }

  confirmAll(): void {
    this.copies.confirmAll();
  }

  toPrompt(cached: CachedPrompt, source: Source, subject: string | undefined): Prompt {
    const { revision } = cached.position;
    return promptOf(cached.fullPrompt, cached.drawnVariant, subject, source, revision, this.copies.ageOf(cached) / 1000);
  }

  /** Cached prompts can still be read afterwards; resolves when the files on disk are written. */
  async close(): Promise<void> {
    this.#closed = true;
    this.policy.close();
    const fetches = this.#fetches.runningKeys().map((key) => this.#fetches.join(key));
    const snapshots = this.#snapshots.runningKeys().map((key) => this.#snapshots.join(key));
    await Promise.allSettled([...fetches, ...snapshots]);
    await this.disk?.settled();
  }

  #refreshIfOld(key: string, cached: CachedPrompt): void {
    if (this.#closed || this.#observer.isUpToDate() || this.copies.ageOf(cached) <= this.options.maxAge) return;
    const failure = this.#failures.get(key);
    const hasJustFailed = failure && performance.now() - failure.at < BETWEEN_BACKGROUND_FAILURES;
    if (!hasJustFailed) this.#fetchInBackground(key);
  }

  #fetchInBackground(key: string): void {
    // A failure is recorded, and cached copies stay in use.
    this.#fetches.join(key).catch(() => undefined);
  }

  /**
   * Returns the copy to use without waiting for the server: for a key that has failed, and while the server
   * hangs. Throws a time-out error if the default of the call should be used.
   */
  async #fallbackInstead(key: string, hasDefault: boolean): Promise<FallbackCopy | null> {
    const failure = this.#failures.get(key);
    const { isHanging } = this.policy;
    if (!failure && !isHanging) return null;
    const copy = await this.fallbackCopies.find(key);
    const isPausing = failure !== undefined && performance.now() < failure.until;
    if (!copy && isPausing) throw failure.error;
    const isAnswered = copy !== null || (isHanging && hasDefault);
    if (isAnswered && !isPausing) this.#fetchInBackground(key);
    if (!copy && isAnswered) throw new RequestTimeoutError("the server did not respond in time");
    return copy;
  }

  /** Starts a new fetch; the time-out includes the wait for one that already runs. */
  #fetchAnew(key: string): Promise<FetchResult> {
    const fetched = this.#fetches.callAnew(key);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new RequestTimeoutError("the server did not respond in time"));
      }, this.options.timeout);
      fetched.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  async #fetch(key: string): Promise<FetchResult> {
    const positionAtStart = this.#observer.feedPosition();
    this.policy.noteEpoch(positionAtStart.epoch);
    try {
      const fetched = await this.policy.fetchPrompt(key);
      this.#recordSuccess(key);
      this.#storeFetched(key, fetched, positionAtStart);
      return fetched;
    } catch (error) {
      if (error instanceof NotFoundError) this.removePrompt(key);
      else if (error instanceof PromptOpsError && !(error instanceof ClientClosedError)) {
        this.#failures.note(key, error);
        this.fallbackCopies.forget(key);
        if (!this.#observer.isWatching) this.#outage.recordFailure(key, error);
        if (isRefusal(error)) this.#observer.tokenRefused(key, error);
      }
      throw error;
    }
  }

  async #fetchSnapshot(): Promise<string[]> {
    try {
      const feedPosition = (): FeedPosition => this.#observer.feedPosition();
      const { position, prompts } = await this.policy.fetchSnapshot(feedPosition, this.warnings);
      this.#outage.recordSuccess(SNAPSHOT);
      for (const fullPrompt of prompts) this.#storeFromSnapshot(fullPrompt, position);
      return prompts.map(({ served }) => served.key).filter((key) => this.copies.get(key));
    } catch (error) {
      if (error instanceof PromptOpsError && !(error instanceof ClientClosedError)) {
        if (!this.#observer.isWatching) this.#outage.recordFailure(SNAPSHOT, error);
        if (isRefusal(error)) this.#observer.tokenRefused(SNAPSHOT, error);
      }
      throw error;
    }
  }

  /** Caches a prompt of a snapshot unless a newer one is known. */
  #storeFromSnapshot(fullPrompt: FullPrompt, position: FeedPosition): void {
    const { key } = fullPrompt.served;
    const previous = this.copies.get(key);
    if (this.policy.isStale(key, position)) return;
    this.#recordSuccess(key);
    if (previous && isSameText(previous.fullPrompt.text, fullPrompt.text)) {
      // Its ETag is still valid.
      this.copies.confirm(key, previous, position);
      return;
    }
    const cached = this.copies.store(key, fullPrompt, position, null);
    this.#storeFetched(key, { cached, previous, fullPrompt }, this.#observer.feedPosition());
  }

  #storeFetched(key: string, { cached, previous, fullPrompt }: FetchResult, positionAtStart: FeedPosition): void {
    if (!previous) this.#observer.copyAdded(key, cached, positionAtStart);
    else if (previous.fullPrompt.text !== cached.fullPrompt.text) this.#observer.copyChanged(key, cached);
    if (fullPrompt !== null && cached.fullPrompt === fullPrompt) void this.disk?.write(key, fullPrompt, cached.position);
  }

  #recordSuccess(key: string): void {
    this.#failures.clear(key);
    this.#outage.recordSuccess(key);
    this.fallbackCopies.forget(key);
  }
}

function isSameText(text: string, compact: string): boolean {
  return text === compact || JSON.stringify(JSON.parse(text)) === compact;
}

function promptOfFallback({ fullPrompt, drawnVariant, source, revision, savedAt }: FallbackCopy, subject: string | undefined): Prompt {
  const age = savedAt === null ? null : Math.max(Date.now() - savedAt, 0) / 1000;
  return promptOf(fullPrompt, drawnVariant, subject, source, revision, age);
}

function promptOf(
  fullPrompt: FullPrompt,
  drawnVariant: CachedPrompt["drawnVariant"],
  subject: string | undefined,
  source: Source,
  revision: number | null,
  age: number | null,
): Prompt {
  const state = subject === undefined ? drawnVariant : variantFor(fullPrompt, subject);
  return { ...state, source, revision, age };
}
