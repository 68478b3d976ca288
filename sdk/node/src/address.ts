import { createSecureContext, type SecureContextOptions } from "node:tls";

import { maskedUrl } from "./masking.js";
import { wordsOf } from "./warnings.js";

/** The certificates and keys for an https server, as `node:tls` takes them. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  readonly servername?: string;
}

/** Where the server is, and how to show who asks. */
export class ServerAddress {
  /** Without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;

  /** TypeError for what can't be an address or a token, and for certificates and keys that can't be used. */
  constructor(
    server: string,
    token: string,
    readonly tls: TlsOptions = {},
  ) {
    this.url = checkedUrl(server);
    if (typeof token !== "string" || !/^[!-~]+$/.test(token)) {
      throw new TypeError("the token must be printable ASCII without blanks, and not empty");
    }
    if (this.url.startsWith("https:")) checkTls(tls);
    this.headers = { authorization: `Bearer ${token}`, "user-agent": `promptops-node/${VERSION}` };
  }

  /** Parameters of undefined are left out. */
  http(path: string, query: Query): string {
    return `${this.url}${path}?${encoded(query)}`;
  }

  webSocket(path: string, query: Query): string {
    return `${this.url.replace(/^http/, "ws")}${path}?${encoded(query)}`;
  }
}

/** For sockets: `localhost` may be two addresses of which one answers. Node 20 does so by itself. */
export const ANY_FAMILY = { autoSelectFamily: true };

export const VERSION = "0.1.0";

type Query = Readonly<Record<string, string | undefined>>;

function encoded(query: Query): string {
  return Object.entries(query)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");
}

function checkTls(tls: TlsOptions): void {
  try {
    createSecureContext(tls as SecureContextOptions);
  } catch (error) {
    throw new TypeError(`the certificates and keys in tls can't be used: ${wordsOf(error)}`, { cause: error });
  }
}

function checkedUrl(server: string): string {
  let url: URL | null = null;
  try {
    url = new URL(server);
  } catch {
    // Told below, as every other address that can't be right.
  }
  const isPlain = url !== null && !url.search && !url.hash && !url.username && !url.password;
  if (typeof server !== "string" || !isPlain || !/^https?:\/\/\S+$/.test(server)) {
    const words = "without user, password, query and fragment";
    throw new TypeError(`the server's address must look like http://host:8080, ${words}, not '${maskedUrl(String(server))}'`);
  }
  // As it was given: it names the files on disk, which other clients of PromptOps read.
  return server.replace(/\/+$/, "");
}
