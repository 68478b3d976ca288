import { type ClientOptions, WebSocket } from "./socket.js";

import { ANY_FAMILY, type ServerAddress, VERSION } from "./address.js";
import { Backoff } from "./backoff.js";
import { type ForbiddenError, isRefusal, responseError, UnauthorizedError } from "./errors.js";
import type { Place } from "./fetching.js";
import { FloodGuard } from "./floods.js";
import type { Following } from "./following.js";
import { messageIn } from "./messages.js";
import { agentFor, type ClosableAgent, proxyOf } from "./tunnels.js";
import { wordsOf } from "./warnings.js";

const SILENT_BEATS = 2.5;
const LARGEST_MESSAGE = 1024 * 1024;
const GOODBYE = 500;
// Servers of before greet nobody, and ping at least every 4 seconds.
const GREETING = 1000;
const SILENCE_OF_BEFORE = 15_000;
const TOKEN_ENDED = 4401;

/** The connection that the server tells of changes over; made anew as often as it has to be. */
export class Watch {
  readonly #backoff = Backoff.reconnecting();
  readonly #refusedBackoff = Backoff.refused();
  readonly #tried: Promise<void>;
  #resolveTried!: () => void;
  #socket: WebSocket | null = null;
  #pause: NodeJS.Timeout | null = null;
  #closed = false;
  // Only a proxy needs one.
  readonly #agent: ClosableAgent | null;

  constructor(
    private readonly address: ServerAddress,
    private readonly place: Place,
    private readonly app: string,
    private readonly following: Following,
    private readonly timeout: number,
  ) {
    this.#tried = new Promise((resolve) => {
      this.#resolveTried = resolve;
    });
    this.#agent = proxyOf(address) && agentFor(address, timeout);
    following.begin();
    this.#connect();
  }

  /** Until the first connection stands or has failed. */
  tried(): Promise<void> {
    return this.#tried;
  }

  /** Resolves when no timer and no socket is left. */
  close(): Promise<void> {
    this.#closed = true;
    this.#resolveTried();
    if (this.#pause) clearTimeout(this.#pause);
    const socket = this.#socket;
    if (!socket) this.#agent?.destroy();
    if (!socket) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), GOODBYE);
      socket.once("close", () => {
        clearTimeout(timer);
        this.#agent?.destroy();
        resolve();
      });
      if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
      else socket.close(1000);
    });
  }

  #connect(): void {
    const url = this.address.webSocket("/ws", {
      namespace: this.place.namespace,
      ...this.following.position,
      client: "node",
      version: VERSION,
      app: this.app,
      workspace: this.place.workspace || undefined,
    });
    const socket = new WebSocket(url, {
      ...ANY_FAMILY,
      ...(this.address.tls as ClientOptions),
      ...(this.#agent ? { agent: this.#agent } : {}),
      headers: this.address.headers,
      handshakeTimeout: this.timeout,
      maxPayload: LARGEST_MESSAGE,
      perMessageDeflate: false,
      autoPong: false,
    });
    this.#socket = socket;
    const connection = new Connection(socket, this.following, this.timeout, {
      greeted: () => this.#greeted(),
      heard: () => this.#backoff.reset(),
    });
    socket.on("close", (code) => this.#lost(connection, code));
  }

  #greeted(): void {
    this.#refusedBackoff.reset();
    this.#resolveTried();
  }

  #lost(connection: Connection, code: number): void {
    this.#socket = null;
    connection.end();
    this.following.disconnected();
    this.#resolveTried();
    if (this.#closed) return;
    const refusal = code === TOKEN_ENDED ? new UnauthorizedError("the token has ended") : connection.refusal;
    const reason = connection.failure ?? `it was closed with ${code}`;
    if (refusal) this.following.refusedToConnect(refusal);
    else if (!connection.hasStood) this.following.notConnected(`${this.address.url}: ${reason}`);
    // A listener may have closed the client.
    if (this.#closed) return;
    const pause = (refusal ? this.#refusedBackoff : this.#backoff).next();
    this.#pause = setTimeout(() => this.#connect(), pause);
  }
}

interface Owner {
  greeted(): void;
  /** A message has come after the hello: the server is more than a greeting. */
  heard(): void;
}

/** One connection, from the handshake to its end; silence ends it too. */
class Connection {
  /** Why the server did not let the client in, if it did not. */
  refusal: UnauthorizedError | ForbiddenError | null = null;
  /** What ended it, if that is known. */
  failure: string | null = null;
  readonly #silence: Silence;
  readonly #guard: FloodGuard;
  #greeting: NodeJS.Timeout | null = null;
  #isGreeted = false;
  #isOfBefore = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly following: Following,
    timeout: number,
    private readonly owner: Owner,
  ) {
    this.#guard = new FloodGuard(socket);
    this.#silence = new Silence(timeout + GREETING, () => this.#end("the server was silent"));
    // Every failure is followed by `close`.
    socket.on("error", (error) => {
      this.failure ??= wordsOf(error);
    });
    socket.on("unexpected-response", (request, response) => {
      const status = response.statusCode ?? 0;
      const { location } = response.headers;
      const error = responseError(status, "", status >= 300 && status < 400 ? location : undefined);
      if (isRefusal(error)) this.refusal = error;
      response.destroy();
      request.destroy();
      this.#end(location ? error.message : `the server answered ${status}`);
    });
    socket.on("open", () => {
      this.#greeting = setTimeout(() => this.#treatAsOfBefore(), GREETING);
    });
    socket.on("ping", (data) => {
      this.#silence.broken();
      this.#guard.count();
      this.#guard.answerPing(data);
    });
    socket.on("message", (data) => this.#take(String(data)));
  }

  /** Whether it has been of use. */
  get hasStood(): boolean {
    return this.#isGreeted || this.#isOfBefore;
  }

  end(): void {
    this.#silence.end();
    this.#guard.end();
    if (this.#greeting) clearTimeout(this.#greeting);
  }

  #end(failure: string): void {
    this.failure = failure;
    this.socket.terminate();
  }

  #take(text: string): void {
    this.#guard.count();
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.#silence.broken();
    const message = messageIn(text);
    if (message === null) return;
    if (message.type === "hello") {
      if (!this.#isGreeted) this.#greet(message.epoch, message.heartbeatSeconds * 1000 * SILENT_BEATS);
      return;
    }
    this.owner.heard();
    if (this.#isGreeted) {
      if (message.type !== "unnumbered") this.following.take(message);
    } else if ("event" in message) {
      this.#treatAsOfBefore();
      this.following.take({ type: "unnumbered", event: message.event });
    }
  }

  #greet(epoch: string, silence: number): void {
    this.#isGreeted = true;
    if (this.#greeting) clearTimeout(this.#greeting);
    this.#silence.lengthen(silence);
    this.following.connected(epoch, this.socket);
    this.owner.greeted();
  }

  #treatAsOfBefore(): void {
    if (this.#isOfBefore) return;
    this.#isOfBefore = true;
    if (this.#greeting) clearTimeout(this.#greeting);
    this.#silence.lengthen(SILENCE_OF_BEFORE);
    this.following.connectedUngreeted();
    this.owner.greeted();
  }
}

/** Calls when so many milliseconds have passed unbroken. */
class Silence {
  #timer: NodeJS.Timeout;

  constructor(
    milliseconds: number,
    private readonly call: () => void,
  ) {
    this.#timer = setTimeout(call, milliseconds);
  }

  broken(): void {
    this.#timer.refresh();
  }

  lengthen(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.call, milliseconds);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
