// A PromptOps server for these tests, on real sockets, that fails as a test requires.
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { type WebSocket, WebSocketServer } from "ws";

export interface Served {
  key: string;
  version: string;
  content: string;
  [field: string]: unknown;
}

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

export class FakeServer {
  readonly prompts = new Map<string, Served>();
  /** Every fetch, as path and query. */
  readonly fetches: URL[] = [];
  readonly connections: { url: URL; headers: http.IncomingHttpHeaders; socket: WebSocket }[] = [];
  readonly messages: { type: string; keys?: string[]; revision?: number }[] = [];
  epoch = "epoch-1";
  revision = 1;
  heartbeatSeconds = 10;
  /** Replaces the normal response. */
  onFetch: Handler | null = null;
  /** Replaces the hello. */
  onWatch: ((socket: WebSocket, url: URL) => void) | null = null;
  /** Refuses watchers with this status, followed by the rest of a response. */
  refuseWatch: number | null = null;
  refusal = "content-length: 0\r\n\r\n";
  refusals = 0;
  readonly #http = http.createServer((request, response) => this.#answer(request, response));
  readonly #watchers = new WebSocketServer({ noServer: true });
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor() {
    this.#http.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#http.on("upgrade", (request, socket, head) => {
      if (this.refuseWatch !== null) {
        this.refusals += 1;
        socket.end(`HTTP/1.1 ${this.refuseWatch} x\r\n${this.refusal}`);
        return;
      }
      this.#watchers.handleUpgrade(request, socket, head, (watcher) => this.#watched(watcher, request));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  get watcher(): WebSocket {
    return this.connections.at(-1)!.socket;
  }

  async start(): Promise<this> {
    this.#http.listen(this.#port, "127.0.0.1");
    await once(this.#http, "listening");
    this.#port = (this.#http.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    if (!this.#http.listening) return;
    const closed = once(this.#http, "close");
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  put(key: string, content: string, more: Partial<Served> = {}): Served {
    const version = more.version ?? `v${this.revision}`;
    const prompt = { key, env: "prod", model: "", content, kind: "text", version, ...more };
    this.prompts.set(key, prompt);
    return prompt;
  }

  /** Publishes the next revision, and notifies the newest watcher. */
  publish(key: string, content: string): void {
    this.revision += 1;
    const { version } = this.put(key, content);
    this.tell({ type: "prompt.published", id: "i", key, env: "prod", version, revision: this.revision });
  }

  delete(key: string): void {
    this.revision += 1;
    this.prompts.delete(key);
    this.tell({ type: "prompt.deleted", id: "i", key, env: "prod", version: "", revision: this.revision });
  }

  tell(message: unknown): void {
    this.watcher.send(JSON.stringify(message));
  }

  fetchesOf(key: string): URL[] {
    return this.fetches.filter((url) => url.pathname.endsWith(`/${encodeURIComponent(key)}`));
  }

  /** Sends the normal response. */
  answer(request: http.IncomingMessage, response: http.ServerResponse, revision = this.revision): void {
    const url = new URL(request.url!, this.url);
    const prompt = this.prompts.get(decodeURIComponent(url.pathname.split("/").at(-1)!));
    const headers = { "x-promptops-revision": String(revision), "x-promptops-epoch": this.epoch };
    if (!prompt) {
      response.writeHead(404, headers).end('{"error":"no such prompt","code":"not_found"}');
      return;
    }
    const body = JSON.stringify(prompt);
    const etag = `"${createHash("sha256").update(body).digest("hex")}"`;
    const isSame = request.headers["if-none-match"] === etag;
    response.writeHead(isSame ? 304 : 200, { ...headers, etag }).end(isSame ? undefined : body);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.fetches.push(new URL(request.url!, this.url));
    if (this.onFetch) this.onFetch(request, response);
    else this.answer(request, response);
  }

  #watched(socket: WebSocket, request: http.IncomingMessage): void {
    const url = new URL(request.url!, this.url);
    this.connections.push({ url, headers: request.headers, socket });
    socket.on("error", () => undefined);
    socket.on("message", (data) => this.messages.push(JSON.parse(String(data))));
    if (this.onWatch) this.onWatch(socket, url);
    else this.greet(url);
  }

  greet(url: URL): void {
    const { epoch, revision } = this;
    this.tell({ type: "hello", epoch, revision, heartbeat_seconds: this.heartbeatSeconds });
    if (url.searchParams.get("epoch") !== epoch) this.tell({ type: "resync", epoch, revision });
  }
}

/** Waits until the condition is true; checks after each turn of the loop. */
export async function eventually(condition: () => boolean, seconds = 10): Promise<void> {
  const until = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > until) throw new Error(`in ${seconds} s it did not come true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Collects the warnings of the package from now on, until `stop`. */
export function warningsOf(): { messages: string[]; stop: () => void } {
  const messages: string[] = [];
  const note = (warning: Error): void => void (warning.name === "PromptOpsWarning" && messages.push(warning.message));
  process.on("warning", note);
  return { messages, stop: () => void process.off("warning", note) };
}

/** Mulberry32: the same random numbers in each run. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
