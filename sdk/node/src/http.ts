import http from "node:http";
import https from "node:https";

import type { ServerAddress } from "./address.js";
import { ClientClosedError, ProtocolError, RequestTimeoutError, ServerUnreachableError } from "./errors.js";

/** An answer, whole. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

// Far more than the server takes for a prompt.
const LARGEST_BODY = 32 * 1024 * 1024;

/** GET requests to one server over kept connections, until it is closed. */
export class HttpClient {
  readonly #address: ServerAddress;
  readonly #agent: http.Agent;
  readonly #running = new Set<http.ClientRequest>();
  #closed = false;

  constructor(address: ServerAddress) {
    const options = { keepAlive: true, maxSockets: 16 };
    this.#address = address;
    this.#agent = address.url.startsWith("https:")
      ? new https.Agent({ ...options, ...(address.tls as https.AgentOptions) })
      : new http.Agent(options);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Has all of the answer within so many milliseconds, or rejects with one of the client's errors. */
  get(url: string, headers: Record<string, string>, milliseconds: number): Promise<HttpResponse> {
    if (this.#closed) return Promise.reject(new ClientClosedError());
    const send = url.startsWith("https:") ? https.get : http.get;
    return new Promise((resolve, reject) => {
      const request = send(url, { agent: this.#agent, headers: { ...this.#address.headers, ...headers } });
      let isAnswered = false;
      const timer = setTimeout(() => {
        request.destroy(new RequestTimeoutError(`${this.#address.url} did not answer in time`));
      }, milliseconds);
      this.#running.add(request);
      const fail = (error: Error): void => reject(this.#translated(error));
      request.on("error", fail);
      request.on("close", () => {
        clearTimeout(timer);
        this.#running.delete(request);
        // An upgrade that nobody asked for ends without an error.
        if (!isAnswered) fail(new Error("the connection ended without an answer"));
      });
      request.on("response", (response) => {
        isAnswered = true;
        read(response).then((body) => resolve(answer(response, body)), (error: Error) => {
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

  /** The border: what Node's errors leave as. */
  #translated(error: Error): Error {
    if (this.#closed) return new ClientClosedError();
    if (error instanceof ServerUnreachableError || error instanceof ProtocolError) return error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code.startsWith("HPE_")) {
      return new ProtocolError(`${this.#address.url} does not speak HTTP: ${error.message}`, { cause: error });
    }
    const reason = error.message || code || "the connection was refused";
    return new ServerUnreachableError(`can't reach ${this.#address.url}: ${reason}`, { cause: error });
  }
}

async function read(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LARGEST_BODY) throw new ProtocolError(`an answer of more than ${LARGEST_BODY} bytes came`);
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
