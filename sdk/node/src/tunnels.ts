import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import tls from "node:tls";

import { ANY_FAMILY, type ServerAddress } from "./address.js";
import { RequestTimeoutError } from "./errors.js";
import { hostOf, portOf, proxyFor } from "./proxy.js";
import { wordsOf } from "./warnings.js";

type Connected = (error: Error | null, socket?: Socket) => void;

/** An agent for one server: directly, or through the HTTP proxy that the environment names. */
export function agentFor(address: ServerAddress, milliseconds: number, options: http.AgentOptions = {}): ClosableAgent {
  const isSecure = address.url.startsWith("https:");
  const all = { ...ANY_FAMILY, ...options, ...(isSecure ? (address.tls as https.AgentOptions) : {}) };
  const agent: ClosableAgent = isSecure ? new https.Agent(all) : new http.Agent(all);
  const proxy = proxyOf(address);
  if (proxy) throughProxy(agent, address, proxy, milliseconds);
  return agent;
}

/** The HTTP proxy that the environment names for the server; null where there is none. */
export function proxyOf(address: ServerAddress): URL | null {
  return proxyFor(new URL(address.url), process.env);
}

export type ClosableAgent = http.Agent | https.Agent;

/** Its connections are tunnels from now on (CONNECT, RFC 9110); those that are being made end with it. */
function throughProxy(agent: ClosableAgent, address: ServerAddress, proxy: URL, milliseconds: number): void {
  const server = new URL(address.url);
  const making = new Set<http.ClientRequest>();
  const createConnection = (_options: unknown, connected: Connected): void => {
    const request = connectRequest(proxy, `${server.hostname}:${portOf(server)}`);
    const late = new RequestTimeoutError(`the proxy ${proxy.host} did not answer in time`);
    const timer = setTimeout(() => request.destroy(late), milliseconds);
    const end = (error: Error | null, socket?: Socket): void => {
      clearTimeout(timer);
      making.delete(request);
      const words = error && `the proxy ${proxy.host}: ${wordsOf(error)}`;
      connected(error === late || !words ? error : new Error(words, { cause: error }), socket);
    };
    making.add(request);
    request.once("error", end);
    request.once("connect", (response: http.IncomingMessage, socket: Socket, head: Buffer) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        end(new Error(`it refused the connection with ${response.statusCode} ${response.statusMessage ?? ""}`.trim()));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      end(null, server.protocol === "https:" ? secured(socket, server, address) : socket);
    });
    request.end();
  };
  const destroy = agent.destroy.bind(agent);
  Object.assign(agent, {
    createConnection,
    destroy: () => {
      for (const request of making) request.destroy();
      destroy();
    },
  });
}

function connectRequest(proxy: URL, authority: string): http.ClientRequest {
  const user = proxy.username || proxy.password ? `${proxy.username}:${proxy.password}` : null;
  const login = user && Buffer.from(user.split(":").map(decodeURIComponent).join(":")).toString("base64");
  const send = proxy.protocol === "https:" ? https.request : http.request;
  return send({
    ...ANY_FAMILY,
    host: hostOf(proxy),
    port: portOf(proxy),
    method: "CONNECT",
    path: authority,
    agent: false,
    headers: { host: authority, ...(login ? { "proxy-authorization": `Basic ${login}` } : {}) },
  });
}

function secured(socket: Socket, server: URL, address: ServerAddress): Socket {
  const host = hostOf(server);
  return tls.connect({
    ...(address.tls as tls.ConnectionOptions),
    socket,
    servername: address.tls.servername ?? (/^[\d.]+$|:/.test(host) ? "" : host),
    // The certificate is the server's also where that is an IP address.
    checkServerIdentity: (_name, certificate) => tls.checkServerIdentity(address.tls.servername ?? host, certificate),
  });
}
