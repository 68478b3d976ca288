import type { ServerAddress } from "./address.js";
import { randomBetween } from "./backoff.js";
import {
  ClientClosedError,
  isRefusal,
  NotFoundError,
  responseError,
  ServerError,
} from "./errors.js";
import type { HttpClient, HttpResponse } from "./http.js";
import { parseAnswer } from "./json.js";
import type { Held, Memory } from "./memory.js";
import { parsePrompt, type Whole } from "./prompts.js";
import { isBefore, revisionIn, type Stamp } from "./revisions.js";

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

const TRIES = 2;
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 150;

/** Asks the server for prompts; what comes is held. */
export class Fetching {
  // What the watch was told of: answers from before don't do.
  readonly #wanted = new Map<string, Stamp>();
  readonly #pauses = new Set<() => void>();

  constructor(
    private readonly http: HttpClient,
    private readonly address: ServerAddress,
    private readonly place: Place,
    private readonly memory: Memory,
    private readonly timeout: number,
  ) {}

  /** From now on the answer has to be of this revision, or a later one. */
  want(key: string, stamp: Stamp): void {
    const wanted = this.#wanted.get(key);
    if (!wanted || !isBefore(stamp, wanted)) this.#wanted.set(key, stamp);
  }

  /** Rejects with a PromptOpsError, within the time-out as a whole. */
  async fetch(key: string): Promise<Fetched> {
    const deadline = performance.now() + this.timeout;
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        return await this.#try(key, deadline);
      } catch (error) {
        if (error instanceof NotFoundError) this.#wanted.delete(key);
        const pause = randomBetween(SHORTEST_PAUSE, LONGEST_PAUSE);
        const isFinal = error instanceof NotFoundError || isRefusal(error) || this.http.closed;
        if (isFinal || left === 0 || performance.now() + pause >= deadline) throw error;
        await this.#pause(pause);
      }
    }
  }

  /** Ends the pauses between tries; the connections are not closed here. */
  close(): void {
    for (const end of this.#pauses) end();
  }

  async #try(key: string, deadline: number): Promise<Fetched> {
    if (this.http.closed) throw new ClientClosedError();
    const wanted = this.#wanted.get(key);
    const etag = this.memory.get(key)?.etag;
    const url = this.address.http(`/api/sdk/prompts/${encodeURIComponent(key)}`, {
      env: this.place.namespace,
      full: "true",
      workspace: this.place.workspace || undefined,
      min_revision: wanted?.revision?.toString(),
      epoch: wanted?.epoch ?? undefined,
    });
    const headers: Record<string, string> = etag ? { "if-none-match": etag } : {};
    const left = Math.max(deadline - performance.now(), 1);
    const fetched = this.#take(key, await this.http.get(url, headers, left));
    if (wanted && this.#wanted.get(key) === wanted) this.#wanted.delete(key);
    return fetched;
  }

  #take(key: string, response: HttpResponse): Fetched {
    const before = this.memory.get(key);
    const stamp = stampOf(response);
    if ([200, 304, 404].includes(response.status)) this.#checkNotStale(key, stamp);
    if (response.status === 304 && before) {
      return { held: this.memory.confirm(key, before, stamp), before, whole: null };
    }
    if (response.status !== 200) throw responseError(response.status, response.body);
    const text = response.body.trim();
    const whole = parsePrompt(parseAnswer(text), text);
    return { held: this.memory.keep(key, whole, stamp, response.headers.etag ?? null), before, whole };
  }

  #checkNotStale(key: string, stamp: Stamp): void {
    for (const known of [this.#wanted.get(key), this.memory.get(key)?.stamp]) {
      if (known && isBefore(stamp, known)) {
        throw new ServerError(503, `revision ${stamp.revision} is too old, ${known.revision} is known`);
      }
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
    epoch: typeof epoch === "string" ? epoch : null,
  };
}
