import { BlockList, isIP } from "node:net";
import { unescape } from "node:querystring";

import { maskedUrl } from "./masking.js";

/** The status of a proxy that requires a user and a password. */
export const UNAUTHORIZED = 407;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The HTTP proxy of the environment for this address: HTTPS_PROXY or HTTP_PROXY, by its scheme; null if there
 * is none, or if NO_PROXY excludes the host. Lower-case names win. TypeError for a proxy that is not an http
 * or https address.
 */
export function proxyFor(url: URL, environment: Variables): URL | null {
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  const proxy = valueOf(name, environment);
  if (!proxy || isExcepted(url, valueOf("no_proxy", environment))) return null;
  return checkedProxy(name.toUpperCase(), proxy);
}

function valueOf(name: string, environment: Variables): string {
  // In a CGI program a request's header `Proxy` sets this variable.
  const isForged = name === "http_proxy" && environment["REQUEST_METHOD"] !== undefined;
  return (environment[name] || (isForged ? "" : environment[name.toUpperCase()]) || "").trim();
}

function checkedProxy(name: string, proxy: string): URL {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  const url = parsed(address);
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    throw new TypeError(`${name} must look like http://proxy:3128, not '${maskedUrl(address)}'`);
  }
  return url;
}

function parsed(address: string): URL | null {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/**
 * Entries are hosts including their subdomains, networks (10.0.0.0/8), or `*`, each with an optional port.
 */
function isExcepted(url: URL, exceptions: string): boolean {
  const host = hostOf(url);
  const port = portOf(url);
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => entry === "*" || isInNetwork(host, entry) || isHost(host, port, entry));
}

function isHost(host: string, port: number, entry: string): boolean {
  const [, name = entry, ofPort] = isIP(entry) ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? []);
  const suffix = name.replace(/^\[|\]$/g, "").replace(/^\*?\./, "");
  return (!ofPort || Number(ofPort) === port) && (host === suffix || host.endsWith(`.${suffix}`));
}

function isInNetwork(host: string, entry: string): boolean {
  const [address = "", bits] = entry.replace(/[[\]]/g, "").split("/");
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : most + 1;
  // BlockList treats IPv4 as a part of IPv6.
  if (version === 0 || isIP(host) !== version || length > most) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  const network = new BlockList();
  network.addSubnet(address, length, family);
  return network.check(host, family);
}

/** The proxy for messages, without its password. */
export function proxyName(proxy: URL): string {
  return `the proxy ${maskedUrl(proxy.href).replace(/\/$/, "")}`;
}

/** The message for a refusal of the proxy. */
export function refusalMessage(proxy: URL, status: number): string {
  return `${proxyName(proxy)} refused: ${status}${status === UNAUTHORIZED ? "; check its user and password" : ""}`;
}

/** The headers of a request that the proxy reads. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (!proxy.username && !proxy.password) return {};
  // Leaves a percent sign that encodes nothing unchanged.
  const login = `${unescape(proxy.username)}:${unescape(proxy.password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` };
}

/** Without the brackets of IPv6 and the dot at the end of a name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
}
