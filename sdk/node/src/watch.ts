import { type ClientOptions, WebSocket } from "./socket.js";

import { ANY_FAMILY, type ServerAddress, VERSION } from "./address.js";
import { Backoff } from "./backoff.js";
import { type ForbiddenError, isRefusal, type ResponseError, responseError, UnauthorizedError } from "./errors.js";
import type { PromptScope } from "./fetch-policy.js";
import { FloodGuard } from "./flood-guard.js";
import type { SyncState } from "./sync-state.js";
import { readBody } from "./http.js";
import { parseMessage } from "./messages.js";
import { agentFor, type ClosableAgent, proxyOf } from "./tunnels.js";
import { messageOf } from "./warnings.js";

const SILENT_HEARTBEATS = 2.5;
const LARGEST_MESSAGE = 1024 * 1024;
const LARGEST_REFUSAL = 64 * 1024;
const GOODBYE = 500;
// Older servers send no hello, and a ping at least every 4 seconds.
const HELLO_TIMEOUT = 1000;
const SILENCE_OF_OLD_SERVER = 15_000;
const TOKEN_ENDED = 4401;

/** The connection for events of the server; reconnects as often as necessary. */
export class Watch {
  readonly #backoff = Backoff.reconnecting();
  readonly #refusedBackoff = Backoff.refused();
  readonly #firstAttempt: Promise<void>;
  #resolveFirstAttempt!: () => void;
  #socket: WebSocket | null = null;
  #pause: NodeJS.Timeout | null = null;
  #closed = false;
  // Only needed for a proxy.
  readonly #agent: ClosableAgent | null;

  constructor(
    private readonly address: ServerAddress,
    private readonly scope: PromptScope,
    private readonly app: string,
    private readonly syncState: SyncState,
    private readonly timeout: number,
  ) {
    this.#firstAttempt = new Promise((resolve) => {
      this.#resolveFirstAttempt = resolve;
    });
    this.#agent = proxyOf(address) && agentFor(address, timeout);
    syncState.startWatching();
    this.#connect();
  }

  /** Resolves when the first connection succeeded or failed. */
  firstAttempt(): Promise<void> {
    return this.#firstAttempt;
  }

  /** Resolves when no timer and no socket is left. */
  close(): Promise<void> {
    this.#closed = true;
    this.#resolveFirstAttempt();
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
      namespace: this.scope.namespace,
      ...this.syncState.resumeParameters,
      client: "node",
      version: VERSION,
      app: this.app,
      workspace: this.scope.workspace || undefined,
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
    const connection = new Connection(socket, this.syncState, this.timeout, {
      helloReceived: () => this.#helloReceived(),
      messageReceived: () => this.#backoff.reset(),
    });
    socket.on("close", (code) => this.#lost(connection, code));
  }

  #helloReceived(): void {
    this.#refusedBackoff.reset();
    this.#resolveFirstAttempt();
  }

  #lost(connection: Connection, code: number): void {
    this.#socket = null;
    connection.end();
    this.syncState.disconnected();
    this.#resolveFirstAttempt();
    if (this.#closed) return;
    const refusal = code === TOKEN_ENDED ? new UnauthorizedError("the token has ended") : connection.refusal;
    const reason = connection.failure ?? `it was closed with ${code}`;
    if (refusal) this.syncState.connectionRefused(refusal);
    else if (!connection.wasUsable) this.syncState.connectionFailed(`${this.address.url}: ${reason}`);
    // A listener may have closed the client.
    if (this.#closed) return;
    const pause = (refusal ? this.#refusedBackoff : this.#backoff).next();
    this.#pause = setTimeout(() => this.#connect(), pause);
  }
}

interface ConnectionHandlers {
  helloReceived(): void;
  /** A message arrived after the hello, so the connection works. */
  messageReceived(): void;
}

/** One connection, from the handshake to its end; silence ends it, too. */
class Connection {
  /** The error if the server refused the client. */
  refusal: UnauthorizedError | ForbiddenError | null = null;
  /** The reason why it ended, if known. */
  failure: string | null = null;
  readonly #silence: Silence;
  readonly #guard: FloodGuard;
  #helloTimer: NodeJS.Timeout | null = null;
  #hasHello = false;
  #isOldServer = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly syncState: SyncState,
    timeout: number,
    private readonly handlers: ConnectionHandlers,
  ) {
    this.#guard = new FloodGuard(socket);
    this.#silence = new Silence(timeout + HELLO_TIMEOUT, () => this.#end("the server was silent"));
    // A `close` event follows every failure.
    socket.on("error", (error) => {
      this.failure ??= messageOf(error);
    });
    socket.on("unexpected-response", (request, response) => {
      const refused = (body: string): void => this.#refused(responseError(response.statusCode ?? 0, body, response.headers.location));
      // The status is sufficient if the body does not arrive.
      refused("");
      void readBody(response, LARGEST_REFUSAL).then(refused, () => undefined).then(() => {
        request.destroy();
        socket.terminate();
      });
    });
    socket.on("open", () => {
      this.#helloTimer = setTimeout(() => this.#treatAsOldServer(), HELLO_TIMEOUT);
    });
    socket.on("ping", (data) => {
      this.#silence.broken();
      this.#guard.count();
      this.#guard.answerPing(data);
    });
    socket.on("message", (data) => this.#take(String(data)));
  }

  /** Whether the connection was established. */
  get wasUsable(): boolean {
    return this.#hasHello || this.#isOldServer;
  }

  end(): void {
    this.#silence.end();
    this.#guard.end();
    if (this.#helloTimer) clearTimeout(this.#helloTimer);
  }

  #refused(error: ResponseError): void {
    this.failure = error.message;
    this.refusal = isRefusal(error) ? error : null;
  }

  #end(failure: string): void {
    this.failure = failure;
    this.socket.terminate();
  }

  #take(text: string): void {
    this.#guard.count();
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.#silence.broken();
    const message = parseMessage(text);
    if (message === null) return;
    if (message.type === "hello") {
      if (!this.#hasHello) this.#acceptHello(message.epoch, message.heartbeatSeconds * 1000 * SILENT_HEARTBEATS);
      return;
    }
    this.handlers.messageReceived();
    if (this.#hasHello) {
      if (message.type !== "unnumbered") this.syncState.handleMessage(message);
    } else if ("event" in message) {
      this.#treatAsOldServer();
      this.syncState.handleMessage({ type: "unnumbered", event: message.event });
    }
  }

  #acceptHello(epoch: string, silence: number): void {
    this.#hasHello = true;
    if (this.#helloTimer) clearTimeout(this.#helloTimer);
    this.#silence.lengthen(silence);
    this.syncState.connected(epoch, this.socket);
    this.handlers.helloReceived();
  }

  #treatAsOldServer(): void {
    if (this.#isOldServer) return;
    this.#isOldServer = true;
    if (this.#helloTimer) clearTimeout(this.#helloTimer);
    this.#silence.lengthen(SILENCE_OF_OLD_SERVER);
    this.syncState.connectedWithoutHello();
    this.handlers.helloReceived();
  }
}

/** Calls a function after so many milliseconds without data from the server. */
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
