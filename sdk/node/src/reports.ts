import type { WebSocket } from "./socket.js";

const BETWEEN_KEY_REPORTS = 200;
const BETWEEN_APPLIED = 100;
const MOST_KEYS = 1000;
const LONGEST_TEXT = 64 * 1024;

/** Reports the cached keys and the applied revision to the server, not too often. */
export class Reports {
  readonly #cachedKeysReport = new Throttled(BETWEEN_KEY_REPORTS, () => this.#sendCachedKeys());
  readonly #applied = new Throttled(BETWEEN_APPLIED, () => this.#sendApplied());
  #socket: WebSocket | null = null;
  #reportedKeys = "";
  #reportedRevision = -1;

  constructor(
    private readonly cachedKeys: () => string[],
    private readonly applied: () => number | null,
  ) {}

  /** The server has discarded the reports of earlier connections. */
  connected(socket: WebSocket): void {
    this.#socket = socket;
    this.#reportedKeys = textOf([]);
    this.#reportedRevision = -1;
    this.cachedKeysChanged();
  }

  /** Resets the reported revision, because revisions start again. */
  resynced(): void {
    this.#reportedRevision = -1;
  }

  disconnected(): void {
    this.#socket = null;
    this.#cachedKeysReport.end();
    this.#applied.end();
  }

  cachedKeysChanged(): void {
    if (this.#socket) this.#cachedKeysReport.request();
  }

  appliedChanged(): void {
    if (this.#socket) this.#applied.request();
  }

  #sendCachedKeys(): void {
    const keys = this.cachedKeys();
    const text = keys.length > MOST_KEYS ? textOf(["*"]) : textOf(keys.sort());
    const message = Buffer.byteLength(text) > LONGEST_TEXT ? textOf(["*"]) : text;
    if (message === this.#reportedKeys) return;
    this.#reportedKeys = message;
    this.#send(message);
  }

  #sendApplied(): void {
    const revision = this.applied();
    if (revision === null || revision <= this.#reportedRevision) return;
    this.#reportedRevision = revision;
    this.#send(JSON.stringify({ type: "applied", revision }));
  }

  #send(text: string): void {
    // A failure to send ends the connection, which is handled elsewhere.
    this.#socket?.send(text, () => undefined);
  }
}

function textOf(keys: readonly string[]): string {
  return JSON.stringify({ type: "holding", keys });
}

/** Calls immediately, and then at most once in so many milliseconds. */
class Throttled {
  #timer: NodeJS.Timeout | null = null;
  #isRequested = false;

  constructor(
    private readonly milliseconds: number,
    private readonly call: () => void,
  ) {}

  request(): void {
    if (this.#timer) {
      this.#isRequested = true;
      return;
    }
    this.#isRequested = false;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#isRequested) this.request();
    }, this.milliseconds);
    this.call();
  }

  end(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isRequested = false;
  }
}
