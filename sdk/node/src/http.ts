import http from "node:http";
import https from "node:https";

import type { ServerAddress } from "./address.js";
import { ClientClosedError, ProtocolError, RequestTimeoutError, ServerUnreachableError } from "./errors.js";
import { forwarded, forwardingProxy, proxyAgent } from "./forwarding.js";
import { proxyName, refusalMessage, UNAUTHORIZED } from "./proxy.js";
import { agentFor } from "./tunnels.js";
import { messageOf } from "./warnings.js";

/** A complete response. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

// This fits a prompt of 20 variants with the largest content and messages that the server accepts.
const LARGEST_BODY = 16 * 1024 * 1024;
// Servers close connections that are idle for 5 seconds, and intermediaries forget them.
const LONGEST_IDLE = 4000;

/** GET requests to one server over reused connections, until the client is closed. */
export class HttpClient {
  readonly #address: ServerAddress;
  readonly #proxy: URL | null;
  readonly #agent: http.Agent;
  readonly #running = new Set<http.ClientRequest>();
  #closed = false;

  /** `milliseconds` limits the time of a proxy to make a connection. */
  constructor(address: ServerAddress, milliseconds: number) {
    this.#address = address;
    const options = { keepAlive: true, maxSockets: 16, timeout: LONGEST_IDLE };
    this.#proxy = forwardingProxy(address);
    this.#agent = this.#proxy ? proxyAgent(this.#proxy, options) : agentFor(address, milliseconds, options);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Resolves with the complete response within `milliseconds`, or rejects with one of the client's errors.
   */
  get(
    url: string,
    headers: Record<string, string>,
    milliseconds: number,
    largest: number = LARGEST_BODY,
  ): Promise<HttpResponse> {
    if (this.#closed) return Promise.reject(new ClientClosedError());
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(this.#translated(error));
      const request = this.#send(url, headers, fail);
      if (!request) return;
      let isAnswered = false;
      this.#limit(request, milliseconds);
      this.#running.add(request);
      request.on("error", fail);
      request.on("close", () => {
        this.#running.delete(request);
        // An unrequested upgrade ends without an error.
        if (!isAnswered) fail(new Error("the connection ended without a response"));
      });
      request.on("response", (response) => {
        isAnswered = true;
        if (this.#proxy && response.statusCode === UNAUTHORIZED) {
          fail(new ServerUnreachableError(`can't reach ${this.#address.url}: ${refusalMessage(this.#proxy, UNAUTHORIZED)}`));
          request.destroy();
          return;
        }
        readBody(response, largest).then((body) => resolve(toResponse(response, body)), (error: Error) => {
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

  /** Sends the request; null if Node refuses to. */
  #send(url: string, headers: Record<string, string>, fail: (error: Error) => void): http.ClientRequest | null {
    const allHeaders = { ...this.#address.headers, ...headers };
    try {
      if (this.#proxy) return forwarded(this.#proxy, url, allHeaders, this.#agent);
      const sendRequest = url.startsWith("https:") ? https.get : http.get;
      return sendRequest(url, { agent: this.#agent, headers: allHeaders });
    } catch (error) {
      fail(error as Error);
      return null;
    }
  }

  /** A reused connection may be dead without a sign: it gets half of the time, a new one the rest. */
  #limit(request: http.ClientRequest, milliseconds: number): void {
    const until = performance.now() + milliseconds;
    const end = (): void => {
      request.destroy(new RequestTimeoutError(`${this.#route} did not respond in time`));
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

  /** The route to the server, for messages. */
  get #route(): string {
    return this.#address.url + (this.#proxy ? ` through ${proxyName(this.#proxy)}` : "");
  }

  /** Translates Node's errors into errors of this client. */
  #translated(error: Error): Error {
    if (this.#closed) return new ClientClosedError();
    if (error instanceof ServerUnreachableError || error instanceof ProtocolError) return error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code.startsWith("HPE_")) {
      return new ProtocolError(`${this.#route} does not speak HTTP: ${error.message}`, { cause: error });
    }
    return new ServerUnreachableError(`can't reach ${this.#route}: ${messageOf(error)}`, { cause: error });
  }
}

/** Reads and decodes the body; ProtocolError if it has more than `largest` bytes. */
export async function readBody(response: http.IncomingMessage, largest: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largest) throw new ProtocolError(`the response has more than ${largest} bytes`);
    chunks.push(chunk);
  }
  return decoded(Buffer.concat(chunks), response.statusCode === 200);
}

function decoded(body: Buffer, strictly: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: strictly }).decode(body);
  } catch (error) {
    throw new ProtocolError("the response is not UTF-8", { cause: error });
  }
}

function toResponse(response: http.IncomingMessage, body: string): HttpResponse {
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
