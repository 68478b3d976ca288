import { createSecureContext, type SecureContextOptions } from "node:tls";

import { maskedUrl } from "./masking.js";
import { messageOf } from "./warnings.js";

/** The certificates and keys for an https server, as `node:tls` takes them. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  readonly servername?: string;
}

/** The server's address, and the headers that authenticate the client. */
export class ServerAddress {
  /** Without a trailing slash. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;

  /** Throws TypeError for an invalid address, token, certificate or key. */
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

  /** Leaves out parameters that are undefined. */
  http(path: string, query: Query): string {
    return `${this.url}${path}?${encoded(query)}`;
  }

  webSocket(path: string, query: Query): string {
    return `${this.url.replace(/^http/, "ws")}${path}?${encoded(query)}`;
  }
}

/**
 * For sockets: `localhost` may have two addresses, of which one accepts connections. Node 20 does this by
 * default.
 */
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
    throw new TypeError(`the certificates and keys in tls can't be used: ${messageOf(error)}`, { cause: error });
  }
}

function checkedUrl(server: string): string {
  let url: URL | null = null;
  try {
    url = new URL(server);
  } catch {
    // The check below rejects it, like every other invalid address.
  }
  const isPlain = url !== null && !url.search && !url.hash && !url.username && !url.password;
  if (typeof server !== "string" || !isPlain || !/^https?:\/\/\S+$/.test(server)) {
    const restriction = "without user, password, query and fragment";
    throw new TypeError(`the server's address must look like http://host:8080, ${restriction}, not '${maskedUrl(String(server))}'`);
  }
  // Unchanged, because it is part of the names of files on disk, which other clients of PromptOps read.
  return server.replace(/\/+$/, "");
}
