import http from "node:http";
import https from "node:https";

import type { ServerAddress } from "./address.js";
import { ClientClosedError, ProtocolError, RequestTimeoutError, ServerUnreachableError } from "./errors.js";
import { agentFor } from "./tunnels.js";
import { wordsOf } from "./warnings.js";

/** An answer, whole. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

// A prompt of 20 variants of the most content and messages that the server takes fits.
const LARGEST_BODY = 16 * 1024 * 1024;
// Servers close connections that are idle for 5 seconds, and what stands between forgets them.
const LONGEST_IDLE = 4000;

/** GET requests to one server over kept connections, until it is closed. */
export class HttpClient {
  readonly #address: ServerAddress;
  readonly #agent: http.Agent;
  readonly #running = new Set<http.ClientRequest>();
  #closed = false;

  /** A proxy has so many milliseconds to make a connection. */
  constructor(address: ServerAddress, milliseconds: number) {
    this.#address = address;
    this.#agent = agentFor(address, milliseconds, { keepAlive: true, maxSockets: 16, timeout: LONGEST_IDLE });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Has all of the answer within so many milliseconds, or rejects with one of the client's errors. */
  get(
    url: string,
    headers: Record<string, string>,
    milliseconds: number,
    largest: number = LARGEST_BODY,
  ): Promise<HttpResponse> {
    if (this.#closed) return Promise.reject(new ClientClosedError());
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(this.#translated(error));
      const request = this.#sent(url, headers, fail);
      if (!request) return;
      let isAnswered = false;
      this.#limit(request, milliseconds);
      this.#running.add(request);
      request.on("error", fail);
      request.on("close", () => {
        this.#running.delete(request);
        // An upgrade that nobody asked for ends without an error.
        if (!isAnswered) fail(new Error("the connection ended without an answer"));
      });
      request.on("response", (response) => {
        isAnswered = true;
        read(response, largest).then((body) => resolve(answer(response, body)), (error: Error) => {
          fail(error);
          request.destroy();
        });
      });
    });
  }

  /** Ends all requests, which reject with ClientClosedError, and frees all connections. */
  close(): void {
    this.#closed = true;
    for (const request of this.#running) request.destroy(new ClientClosedError());
    this.#agent.destroy();
  }

  /** Null where Node refuses to send it. */
  #sent(url: string, headers: Record<string, string>, fail: (error: Error) => void): http.ClientRequest | null {
    const send = url.startsWith("https:") ? https.get : http.get;
    try {
      return send(url, { agent: this.#agent, headers: { ...this.#address.headers, ...headers } });
    } catch (error) {
      fail(error as Error);
      return null;
    }
  }

  /** A kept connection may be dead without a sign: it gets half of the time, a new one the rest. */
  #limit(request: http.ClientRequest, milliseconds: number): void {
    const until = performance.now() + milliseconds;
    const end = (): void => {
      request.destroy(new RequestTimeoutError(`${this.#address.url} did not answer in time`));
    };
    let timer = setTimeout(end, milliseconds);
    request.once("socket", () => {
      if (!request.reusedSocket || request.destroyed) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        this.#dropIdle();
        end();
      }, (until - performance.now()) / 2);
    });
    request.once("close", () => clearTimeout(timer));
  }

  #dropIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  /** The border: what Node's errors leave as. */
  #translated(error: Error): Error {
    if (this.#closed) return new ClientClosedError();
    if (error instanceof ServerUnreachableError || error instanceof ProtocolError) return error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code.startsWith("HPE_")) {
      return new ProtocolError(`${this.#address.url} does not speak HTTP: ${error.message}`, { cause: error });
    }
    return new ServerUnreachableError(`can't reach ${this.#address.url}: ${wordsOf(error)}`, { cause: error });
  }
}

async function read(response: http.IncomingMessage, largest: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largest) throw new ProtocolError(`an answer of more than ${largest} bytes came`);
    chunks.push(chunk);
  }
  return decoded(Buffer.concat(chunks), response.statusCode === 200);
}

function decoded(body: Buffer, strictly: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: strictly }).decode(body);
  } catch (error) {
    throw new ProtocolError("the answer is not UTF-8", { cause: error });
  }
}

function answer(response: http.IncomingMessage, body: string): HttpResponse {
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
