import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import tls from "node:tls";

import { ANY_FAMILY, type ServerAddress } from "./address.js";
import { RequestTimeoutError } from "./errors.js";
import { hostOf, portOf, proxyFor, proxyHeaders, proxyName, refusalMessage } from "./proxy.js";
import { messageOf } from "./warnings.js";

type Connected = (error: Error | null, socket?: Socket) => void;

/** An agent for one server: direct, or through the HTTP proxy of the environment. */
export function agentFor(address: ServerAddress, milliseconds: number, options: http.AgentOptions = {}): ClosableAgent {
  const isSecure = address.url.startsWith("https:");
  const all = { ...ANY_FAMILY, ...options, ...(isSecure ? (address.tls as https.AgentOptions) : {}) };
  const agent: ClosableAgent = isSecure ? new https.Agent(all) : new http.Agent(all);
  const proxy = proxyOf(address);
  if (proxy) throughProxy(agent, address, proxy, milliseconds);
  return agent;
}

/** The HTTP proxy of the environment for the server; null if there is none. */
export function proxyOf(address: ServerAddress): URL | null {
  return proxyFor(new URL(address.url), process.env);
}

export type ClosableAgent = http.Agent | https.Agent;

/** Makes its connections tunnels (CONNECT, RFC 9110); destroying it also ends those that are being made. */
function throughProxy(agent: ClosableAgent, address: ServerAddress, proxy: URL, milliseconds: number): void {
  const server = new URL(address.url);
  const connecting = new Set<http.ClientRequest>();
  const createConnection = (_options: unknown, connected: Connected): void => {
    const request = connectRequest(proxy, `${server.hostname}:${portOf(server)}`);
    const timeoutError = new RequestTimeoutError(`${proxyName(proxy)} did not respond in time`);
    const timer = setTimeout(() => request.destroy(timeoutError), milliseconds);
    const end = (error: Error | null, socket?: Socket): void => {
      clearTimeout(timer);
      connecting.delete(request);
      connected(error, socket);
    };
    connecting.add(request);
    request.once("error", (error) => {
      end(error === timeoutError ? error : new Error(`${proxyName(proxy)}: ${messageOf(error)}`, { cause: error }));
    });
    request.once("connect", (response: http.IncomingMessage, socket: Socket, head: Buffer) => {
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) {
        socket.destroy();
        end(new Error(refusalMessage(proxy, status)));
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
      for (const request of connecting) request.destroy();
      destroy();
    },
  });
}

function connectRequest(proxy: URL, authority: string): http.ClientRequest {
  const send = proxy.protocol === "https:" ? https.request : http.request;
  return send({
    ...ANY_FAMILY,
    host: hostOf(proxy),
    port: portOf(proxy),
    method: "CONNECT",
    path: authority,
    agent: false,
    headers: { host: authority, ...proxyHeaders(proxy) },
  });
}

function secured(socket: Socket, server: URL, address: ServerAddress): Socket {
  const host = hostOf(server);
  return tls.connect({
    ...(address.tls as tls.ConnectionOptions),
    socket,
    servername: address.tls.servername ?? (/^[\d.]+$|:/.test(host) ? "" : host),
    // The certificate must match the server even if its address is an IP address.
    checkServerIdentity: (_name, certificate) => tls.checkServerIdentity(address.tls.servername ?? host, certificate),
  });
}
