import { BlockList, isIP } from "node:net";

import { maskedUrl } from "./masking.js";

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The HTTP proxy that the environment names for this address: HTTPS_PROXY or HTTP_PROXY, by its scheme;
 * null where there is none, or NO_PROXY excepts the host. Names in small letters go first.
 * TypeError for a proxy that is no http or https address.
 */
export function proxyFor(url: URL, environment: Variables): URL | null {
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  const proxy = valueOf(name, environment);
  if (!proxy || isExcepted(url, valueOf("no_proxy", environment))) return null;
  return checkedProxy(name.toUpperCase(), proxy);
}

function valueOf(name: string, environment: Variables): string {
  // In a CGI program the request's header `Proxy` has this name.
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

/** Entries are hosts, which stand for what ends in them too, networks (10.0.0.0/8), or `*`; each with a port if need be. */
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
  const [address = "", bits] = entry.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  const most = family === "ipv6" ? 128 : 32;
  if (!isIP(host) || !isIP(address) || !/^\d{1,3}$/.test(bits ?? "") || Number(bits) > most) return false;
  const network = new BlockList();
  network.addSubnet(address, Number(bits), family);
  return network.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");
}

/** Without the brackets of IPv6 and the dot at the end of a name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
}
