import { saysAbsent } from "./absence.js";
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
import { parseAnswer } from "./json.js";
import type { LastKnown } from "./lastknown.js";
import { Hanging, type Held, type Memory } from "./memory.js";
import { parsePrompt, type Whole } from "./prompts.js";
import { isBefore, revisionIn, type Stamp } from "./revisions.js";
import { parseSnapshot } from "./snapshot.js";
import type { Warnings } from "./warnings.js";

/** Which prompts a client reads; the empty workspace is the one that the token means. */
export interface Place {
  readonly namespace: string;
  readonly workspace: string;
}

/** A prompt that came from the server. */
export interface Fetched {
  readonly held: Held;
  /** What it took the place of, if anything. */
  readonly before: Held | undefined;
  /** Null where the server said that what is held still is so. */
  readonly whole: Whole | null;
}

/** The prompts of an environment that came from the server. */
export interface FetchedSnapshot {
  readonly stamp: Stamp;
  readonly prompts: readonly Whole[];
}

const LARGEST_SNAPSHOT = 64 * 1024 * 1024;
const TRIES = 2;
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 150;

/** Asks the server for prompts; what comes is held. */
export class Fetching {
  // What the watch was told of: answers from before don't do.
  readonly #wanted = new Map<string, Stamp>();
  readonly #pauses = new Set<() => void>();
  readonly #hanging = new Hanging();
  // Since such a server's 404 names its epoch, too.
  #hasEpochs = false;

  constructor(
    private readonly http: HttpClient,
    private readonly address: ServerAddress,
    private readonly place: Place,
    private readonly memory: Memory,
    private readonly lastKnown: LastKnown,
    private readonly timeout: number,
  ) {}

  /** From now on the answer has to be of this revision, or a later one. */
  want(key: string, stamp: Stamp): void {
    const wanted = this.#wanted.get(key);
    if (!wanted || !isBefore(stamp, wanted)) this.#wanted.set(key, stamp);
  }

  /** The server is there again. */
  endHanging(): void {
    this.#hanging.ended();
  }

  /** Whether the server has let a fetch time out lately, and has not answered since. */
  get isHanging(): boolean {
    return this.#hanging.lasts;
  }

  /** Somebody else has heard the server name its epoch. */
  hearEpoch(epoch: string | null): void {
    if (epoch) this.#hasEpochs = true;
  }

  /** Rejects with a PromptOpsError, within the time-out as a whole. */
  async fetch(key: string): Promise<Fetched> {
    try {
      return await this.#inTries((left) => this.#try(key, left));
    } catch (error) {
      if (error instanceof NotFoundError) this.#wanted.delete(key);
      throw error;
    }
  }

  /** All prompts of the environment, of the revision `told` or a later one; rejects likewise. */
  fetchSnapshot(told: () => Stamp, warnings: Warnings): Promise<FetchedSnapshot> {
    return this.#inTries(async (left) => {
      const url = this.address.http("/api/sdk/snapshot", this.#query(told()));
      const response = await this.#get(url, {}, left, LARGEST_SNAPSHOT);
      if (response.status !== 200) throw await this.#refusal(response);
      const stamp = stampOf(response);
      const { epoch } = told();
      if (epoch !== null && stamp.epoch !== epoch) {
        throw new ServerError(503, "the snapshot is not of the epoch that the watch is told of");
      }
      const data = parseAnswer(response.body);
      return { stamp, prompts: parseSnapshot(data, this.place.namespace, "the snapshot", warnings).prompts };
    });
  }

  /** Ends the pauses between tries; the connections are not closed here. */
  close(): void {
    for (const end of this.#pauses) end();
  }

  async #inTries<T>(attempt: (milliseconds: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.timeout;
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        if (this.http.closed) throw new ClientClosedError();
        return await attempt(Math.max(deadline - performance.now(), 1));
      } catch (error) {
        const pause = randomBetween(SHORTEST_PAUSE, LONGEST_PAUSE);
        const isFinal = error instanceof NotFoundError || isRefusal(error) || this.http.closed;
        if (isFinal || left === 0 || performance.now() + pause >= deadline) {
          if (error instanceof RequestTimeoutError) this.#hanging.timedOut();
          throw error;
        }
        await this.#pause(pause);
      }
    }
  }

  async #try(key: string, milliseconds: number): Promise<Fetched> {
    const wanted = this.#wanted.get(key);
    const etag = this.memory.get(key)?.etag;
    const url = this.address.http(`/api/sdk/prompts/${encodeURIComponent(key)}`, {
      full: "true",
      ...this.#query(wanted),
    });
    const response = await this.#get(url, etag ? { "if-none-match": etag } : {}, milliseconds);
    const refusal = [200, 304].includes(response.status) ? null : await this.#refusal(response, key);
    const fetched = this.#take(key, response, refusal);
    if (wanted && this.#wanted.get(key) === wanted) this.#wanted.delete(key);
    return fetched;
  }

  /** What each request says: the place, and the revision that the answer has to be of. */
  #query(wanted: Stamp | undefined): Record<string, string | undefined> {
    const isKnown = wanted !== undefined && wanted.revision !== null;
    return {
      env: this.place.namespace,
      workspace: this.place.workspace || undefined,
      min_revision: isKnown ? String(wanted.revision) : undefined,
      epoch: (isKnown && wanted.epoch) || undefined,
    };
  }

  async #get(
    url: string,
    headers: Record<string, string>,
    milliseconds: number,
    largest?: number,
  ): Promise<HttpResponse> {
    const response = await this.http.get(url, headers, milliseconds, largest);
    this.#hanging.ended();
    this.hearEpoch(stampOf(response).epoch);
    return response;
  }

  /** The error that an answer means; without a key it is the answer to a snapshot. */
  async #refusal(response: HttpResponse, key?: string): Promise<PromptOpsError> {
    const { status, headers, body } = response;
    if (status === 404) {
      const hasEpochs = this.#hasEpochs || key === undefined || (await this.#copyHasEpoch(key));
      if (!saysAbsent(body, stampOf(response).epoch, hasEpochs)) {
        return new ProtocolError("a 404 came that is not from PromptOps; check the server's address");
      }
    }
    return responseError(status, body, status >= 300 && status < 400 ? headers.location : undefined);
  }

  /** Whether a copy of the prompt is of a server with epochs. */
  async #copyHasEpoch(key: string): Promise<boolean> {
    const copy = this.memory.get(key)?.stamp ?? (await this.lastKnown.find(key));
    return Boolean(copy?.epoch);
  }

  #take(key: string, response: HttpResponse, refusal: PromptOpsError | null): Fetched {
    const before = this.memory.get(key);
    const stamp = stampOf(response);
    if (refusal === null || refusal instanceof NotFoundError) this.#checkNotStale(key, stamp);
    if (response.status === 304 && before) {
      return { held: this.memory.confirm(key, before, stamp), before, whole: null };
    }
    if (response.status !== 200) throw refusal ?? responseError(response.status, response.body);
    const text = response.body.trim();
    const whole = parsePrompt(parseAnswer(text), text, key);
    return { held: this.memory.keep(key, whole, stamp, response.headers.etag ?? null), before, whole };
  }

  /** Whether something newer than this is known of the prompt. */
  isStale(key: string, stamp: Stamp): boolean {
    return [this.#wanted.get(key), this.memory.get(key)?.stamp].some((newer) => newer && isBefore(stamp, newer));
  }

  #checkNotStale(key: string, stamp: Stamp): void {
    if (this.isStale(key, stamp)) {
      throw new ServerError(503, `revision ${stamp.revision} is too old, a newer one is known`);
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

function stampOf({ headers }: HttpResponse): Stamp {
  const epoch = headers["x-promptops-epoch"];
  return {
    revision: revisionIn(headers["x-promptops-revision"]),
    epoch: typeof epoch === "string" && epoch !== "" ? epoch : null,
  };
}
