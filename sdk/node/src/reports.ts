import type { WebSocket } from "./socket.js";

const BETWEEN_HOLDINGS = 200;
const BETWEEN_APPLIED = 100;
const MOST_KEYS = 1000;
const LONGEST_TEXT = 64 * 1024;

/** Tells the server which keys are held and up to where changes are applied, not too often. */
export class Reports {
  readonly #holding = new Throttled(BETWEEN_HOLDINGS, () => this.#sendHolding());
  readonly #applied = new Throttled(BETWEEN_APPLIED, () => this.#sendApplied());
  #socket: WebSocket | null = null;
  #toldKeys = "";
  #toldRevision = -1;

  constructor(
    private readonly heldKeys: () => string[],
    private readonly applied: () => number | null,
  ) {}

  /** The server has forgotten what it was told on another connection. */
  connected(socket: WebSocket): void {
    this.#socket = socket;
    this.#toldKeys = textOf([]);
    this.#toldRevision = -1;
    this.holdingChanged();
  }

  /** Revisions begin anew. */
  resynced(): void {
    this.#toldRevision = -1;
  }

  disconnected(): void {
    this.#socket = null;
    this.#holding.end();
    this.#applied.end();
  }

  holdingChanged(): void {
    if (this.#socket) this.#holding.request();
  }

  appliedChanged(): void {
    if (this.#socket) this.#applied.request();
  }

  #sendHolding(): void {
    const keys = this.heldKeys();
    const text = keys.length > MOST_KEYS ? textOf(["*"]) : textOf(keys.sort());
    const sent = Buffer.byteLength(text) > LONGEST_TEXT ? textOf(["*"]) : text;
    if (sent === this.#toldKeys) return;
    this.#toldKeys = sent;
    this.#send(sent);
  }

  #sendApplied(): void {
    const revision = this.applied();
    if (revision === null || revision <= this.#toldRevision) return;
    this.#toldRevision = revision;
    this.#send(JSON.stringify({ type: "applied", revision }));
  }

  #send(text: string): void {
    // What can't be sent ends the connection, which is noticed elsewhere.
    this.#socket?.send(text, () => undefined);
  }
}

function textOf(keys: readonly string[]): string {
  return JSON.stringify({ type: "holding", keys });
}

/** Calls at once, and then no more often than once in so many milliseconds. */
class Throttled {
  #timer: NodeJS.Timeout | null = null;
  #isWanted = false;

  constructor(
    private readonly milliseconds: number,
    private readonly call: () => void,
  ) {}

  request(): void {
    if (this.#timer) {
      this.#isWanted = true;
      return;
    }
    this.#isWanted = false;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#isWanted) this.request();
    }, this.milliseconds);
    this.call();
  }

  end(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isWanted = false;
  }
}
