import { statesAbsence } from "./absence.js";
import type { ServerAddress } from "./address.js";
import { randomBetween } from "./backoff.js";
import {
  ClientClosedError,
  isRefusal,
  NotFoundError,
  type PromptOpsError,
  ProtocolError,
  RequestTimeoutError,
  responseError,
  ServerError,
} from "./errors.js";
import type { HttpClient, HttpResponse } from "./http.js";
import { parseResponse } from "./json.js";
import type { FallbackCopies } from "./fallback-copies.js";
import { HangingServer, type CachedPrompt, type CachedPrompts } from "./cached-prompts.js";
import { parsePrompt, type FullPrompt } from "./prompts.js";
import { isBefore, revisionIn, type FeedPosition } from "./feed-position.js";
import { parseSnapshot } from "./snapshot.js";
import type { Warnings } from "./warnings.js";

/** Which prompts a client reads; an empty workspace selects the one of the token. */
export interface PromptScope {
  readonly namespace: string;
  readonly workspace: string;
}

/** The result of a fetch. */
export interface FetchResult {
  readonly cached: CachedPrompt;
  /** The copy that it replaced, if any. */
  readonly previous: CachedPrompt | undefined;
  /** Null if the server confirmed the cached copy. */
  readonly fullPrompt: FullPrompt | null;
}

/** The prompts of an environment, from the server. */
export interface SnapshotResult {
  readonly position: FeedPosition;
  readonly prompts: readonly FullPrompt[];
}

const LARGEST_SNAPSHOT = 64 * 1024 * 1024;
const MAX_ATTEMPTS = 2;
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 150;

/** Fetches prompts and caches them: attempts, required positions, the meaning of responses. */
export class FetchPolicy {
  // The positions that the watch waits for: older responses are rejected.
  readonly #requiredPositions = new Map<string, FeedPosition>();
  readonly #pauses = new Set<() => void>();
  readonly #hangingServer = new HangingServer();
  // Such a server sends its epoch with each 404.
  #hasEpochs = false;

  constructor(
    private readonly http: HttpClient,
    private readonly address: ServerAddress,
    private readonly scope: PromptScope,
    private readonly copies: CachedPrompts,
    private readonly fallbackCopies: FallbackCopies,
    private readonly timeout: number,
  ) {}

  /** Requires this position or a later one from now on. */
  requirePosition(key: string, position: FeedPosition): void {
    const required = this.#requiredPositions.get(key);
    if (!required || !isBefore(position, required)) this.#requiredPositions.set(key, position);
  }

  /** Ends the outage of a hanging server. */
  endHanging(): void {
    this.#hangingServer.recordResponse();
  }

  /** Whether the server timed out recently and has not responded since. */
  get isHanging(): boolean {
    return this.#hangingServer.isActive;
  }

  /** Notes an epoch that arrived otherwise, for example in a hello. */
  noteEpoch(epoch: string | null): void {
    if (epoch) this.#hasEpochs = true;
  }

  /** Fetches a prompt within the time-out; rejects with a PromptOpsError. */
  async fetchPrompt(key: string): Promise<FetchResult> {
    try {
      return await this.#withRetries((left) => this.#attempt(key, left));
    } catch (error) {
      if (error instanceof NotFoundError) this.#requiredPositions.delete(key);
      throw error;
    }
  }

  /** Fetches all prompts of the environment, at the position of the watch or a later one. */
  fetchSnapshot(feedPosition: () => FeedPosition, warnings: Warnings): Promise<SnapshotResult> {
    return this.#withRetries(async (left) => {
      const url = this.address.http("/api/sdk/snapshot", this.#query(feedPosition()));
      const response = await this.#get(url, {}, left, LARGEST_SNAPSHOT);
      if (response.status !== 200) throw await this.#errorOf(response);
      const position = positionOf(response);
      const { epoch } = feedPosition();
      if (epoch !== null && position.epoch !== epoch) {
        throw new ServerError(503, "the snapshot has another epoch than the watch");
      }
      const data = parseResponse(response.body);
      return { position, prompts: parseSnapshot(data, this.scope.namespace, "the snapshot", warnings).prompts };
    });
  }

  /** Ends the pauses between attempts; connections are closed elsewhere. */
  close(): void {
    for (const end of this.#pauses) end();
  }

  async #withRetries<T>(attempt: (milliseconds: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.timeout;
    for (let left = MAX_ATTEMPTS - 1; ; left -= 1) {
      try {
        if (this.http.closed) throw new ClientClosedError();
        return await attempt(Math.max(deadline - performance.now(), 1));
      } catch (error) {
        const pause = randomBetween(SHORTEST_PAUSE, LONGEST_PAUSE);
        const isFinal = error instanceof NotFoundError || isRefusal(error) || this.http.closed;
        if (isFinal || left === 0 || performance.now() + pause >= deadline) {
          if (error instanceof RequestTimeoutError) this.#hangingServer.recordTimeout();
          throw error;
        }
        await this.#pause(pause);
      }
    }
  }

  async #attempt(key: string, milliseconds: number): Promise<FetchResult> {
    const required = this.#requiredPositions.get(key);
    const etag = this.copies.get(key)?.etag;
    const url = this.address.http(`/api/sdk/prompts/${encodeURIComponent(key)}`, {
      full: "true",
      ...this.#query(required),
    });
    const response = await this.#get(url, etag ? { "if-none-match": etag } : {}, milliseconds);
    const refusal = [200, 304].includes(response.status) ? null : await this.#errorOf(response, key);
    const fetched = this.#applyResponse(key, response, refusal);
    if (required && this.#requiredPositions.get(key) === required) this.#requiredPositions.delete(key);
    return fetched;
  }

  /** The parameters of each request: the scope, and the required revision. */
  #query(required: FeedPosition | undefined): Record<string, string | undefined> {
    const hasRevision = required !== undefined && required.revision !== null;
    return {
      env: this.scope.namespace,
      workspace: this.scope.workspace || undefined,
      min_revision: hasRevision ? String(required.revision) : undefined,
      epoch: (hasRevision && required.epoch) || undefined,
    };
  }

  async #get(
    url: string,
    headers: Record<string, string>,
    milliseconds: number,
    largest?: number,
  ): Promise<HttpResponse> {
    const response = await this.http.get(url, headers, milliseconds, largest);
    this.#hangingServer.recordResponse();
    this.noteEpoch(positionOf(response).epoch);
    return response;
  }

  /** The error that a response means; without a key, of a snapshot. */
  async #errorOf(response: HttpResponse, key?: string): Promise<PromptOpsError> {
    const { status, headers, body } = response;
    if (status === 404) {
      const hasEpochs = this.#hasEpochs || key === undefined || (await this.#copyHasEpoch(key));
      if (!statesAbsence(body, positionOf(response).epoch, hasEpochs)) {
        return new ProtocolError("received a 404 that is not from PromptOps; check the server's address");
      }
    }
    return responseError(status, body, headers.location);
  }

  /** Whether a copy of the prompt comes from a server with epochs. */
  async #copyHasEpoch(key: string): Promise<boolean> {
    const copy = this.copies.get(key)?.position ?? (await this.fallbackCopies.find(key));
    return Boolean(copy?.epoch);
  }

  #applyResponse(key: string, response: HttpResponse, refusal: PromptOpsError | null): FetchResult {
    const previous = this.copies.get(key);
    const position = positionOf(response);
    if (refusal === null || refusal instanceof NotFoundError) this.#checkNotStale(key, position);
    if (response.status === 304 && previous) {
      return { cached: this.copies.confirm(key, previous, position), previous, fullPrompt: null };
    }
    if (response.status !== 200) throw refusal ?? responseError(response.status, response.body);
    const text = response.body.trim();
    const fullPrompt = parsePrompt(parseResponse(text), text, key);
    return { cached: this.copies.store(key, fullPrompt, position, response.headers.etag ?? null), previous, fullPrompt };
  }

  /** Whether a newer position than this is known for the prompt. */
  isStale(key: string, position: FeedPosition): boolean {
    return [this.#requiredPositions.get(key), this.copies.get(key)?.position].some((newer) => newer && isBefore(position, newer));
  }

  #checkNotStale(key: string, position: FeedPosition): void {
    if (this.isStale(key, position)) {
      throw new ServerError(503, `revision ${position.revision} is too old, a newer one is required`);
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#pauses.add(end);
    });
  }
}

function positionOf({ headers }: HttpResponse): FeedPosition {
  const epoch = headers["x-promptops-epoch"];
  return {
    revision: revisionIn(headers["x-promptops-revision"]),
    epoch: typeof epoch === "string" && epoch !== "" ? epoch : null,
  };
}
