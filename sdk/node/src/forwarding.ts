import http from "node:http";
import https from "node:https";

import { ANY_FAMILY, type ServerAddress } from "./address.js";
import { hostOf, portOf, proxyHeaders } from "./proxy.js";
import { type ClosableAgent, proxyOf } from "./tunnels.js";

/** The proxy that forwards the requests to an http server; null if there is none, or if it makes tunnels. */
export function forwardingProxy(address: ServerAddress): URL | null {
  return address.url.startsWith("https:") ? null : proxyOf(address);
}

/** An agent for connections to the proxy itself. */
export function proxyAgent(proxy: URL, options: http.AgentOptions): ClosableAgent {
  const all = { ...ANY_FAMILY, ...options };
  return proxy.protocol === "https:" ? new https.Agent(all) : new http.Agent(all);
}

/** A GET in absolute form (RFC 9112, section 3.2.2). */
export function forwarded(proxy: URL, url: string, headers: Record<string, string>, agent: ClosableAgent): http.ClientRequest {
  const get = proxy.protocol === "https:" ? https.get : http.get;
  const { href, host } = new URL(url);
  const path = { host: hostOf(proxy), port: portOf(proxy), path: href };
  return get({ ...path, agent, headers: { host, ...headers, ...proxyHeaders(proxy) } });
}
