// HTTP proxies that the environment names, for fetches and for the watch.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { PromptOpsClient, ServerUnreachableError } from "../src/index.js";
import { proxyFor } from "../src/proxy.js";
import { eventually, FakeServer } from "./server.js";

const NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "REQUEST_METHOD"];

/** Takes CONNECT only, and knows one host: the server of the test. */
class Proxy {
  readonly asked: string[] = [];
  readonly logins: (string | undefined)[] = [];
  status = 200;
  readonly sockets = new Set<Socket>();
  readonly listener = http.createServer((_, response) => response.writeHead(405).end());

  constructor(private readonly target: () => number) {
    this.listener.on("connection", (socket) => this.#track(socket));
    this.listener.on("connect", (request: http.IncomingMessage, socket: Socket, head: Buffer) => {
      this.asked.push(request.url!);
      this.logins.push(request.headers["proxy-authorization"]);
      if (this.status === 0) return void socket.resume().on("end", () => socket.end());
      if (this.status !== 200) {
        socket.end(`HTTP/1.1 ${this.status} Refused\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const upstream = net.connect(this.target(), "127.0.0.1");
      this.#track(upstream);
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
      for (const [one, other] of [[socket, upstream], [upstream, socket]] as const) one.on("close", () => other.destroy());
    });
  }

  #track(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.sockets.delete(socket));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  async start(): Promise<this> {
    this.listener.listen(0, "127.0.0.1");
    await once(this.listener, "listening");
    return this;
  }

  async stop(): Promise<void> {
    this.listener.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.listener, "close");
  }
}

describe("behind a proxy", () => {
  let server: FakeServer;
  let proxy: Proxy;
  let port: number;
  const clients: PromptOpsClient[] = [];
  const before_ = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));
  const made = (url: string, options = {}): PromptOpsClient => {
    const client = new PromptOpsClient({ server: url, token: "t", timeout: 2000, ...options });
    clients.push(client);
    return client;
  };

  beforeEach(async () => {
    for (const name of NAMES) delete process.env[name];
    server = await new FakeServer().start();
    server.put("greeting", "one");
    port = Number(new URL(server.url).port);
    proxy = await new Proxy(() => port).start();
  });
  afterEach(async () => {
    for (const [name, value] of Object.entries(before_)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await server.stop();
    await proxy.stop();
  });

  test("fetches and the watch go through it, with its login, by the server's name", async () => {
    process.env["HTTP_PROXY"] = proxy.url.replace("//", "//ada:p%40ss@");
    const client = made("http://promptops.test:1234");
    assert.equal((await client.getPrompt("greeting")).source, "server");
    await client.watch();
    await eventually(() => server.messages.some(({ type }) => type === "applied"));
    server.publish("greeting", "two");
    await eventually(() => server.messages.some(({ revision }) => revision === 2));
    assert.equal((await client.getPrompt("greeting")).content, "two");
    assert.deepEqual(new Set(proxy.asked), new Set(["promptops.test:1234"]));
    assert.ok(proxy.asked.length >= 2);
    const login = `Basic ${Buffer.from("ada:p@ss").toString("base64")}`;
    assert.deepEqual(new Set(proxy.logins), new Set([login]));
    assert.equal(server.connections[0]!.headers["proxy-authorization"], undefined);
  });

  test("what NO_PROXY excepts goes directly", async () => {
    process.env["HTTP_PROXY"] = proxy.url;
    process.env["NO_PROXY"] = "example.org, 127.0.0.1";
    const client = made(server.url);
    assert.equal((await client.getPrompt("greeting")).source, "server");
    await client.watch();
    assert.deepEqual(proxy.asked, []);
  });

  test("a refusal and a proxy that is not there are errors in words, without its password", async () => {
    process.env["http_proxy"] = proxy.url.replace("//", "//ada:s3cret@");
    proxy.status = 407;
    const told = await made("http://promptops.test").getPrompt("greeting").catch((error: Error) => error);
    assert.ok(told instanceof ServerUnreachableError);
    assert.match(told.message, /can't reach http:\/\/promptops\.test: the proxy 127\.0\.0\.1:\d+: it refused .* 407 Refused/);
    process.env["http_proxy"] = "http://ada:s3cret@127.0.0.1:1";
    await assert.rejects(made("http://promptops.test").getPrompt("greeting"), (error: Error) => {
      return /the proxy 127\.0\.0\.1:1: .*ECONNREFUSED/.test(error.message) && !error.message.includes("s3cret");
    });
    process.env["http_proxy"] = "socks5://ada:s3cret@x";
    assert.throws(() => made("http://promptops.test"), (error: Error) => {
      return error instanceof TypeError && /HTTP_PROXY must look like .*socks5:\/\/\*\*\*@x/.test(error.message);
    });
  });

  test("one that hangs is a time-out, and close ends what waits for it", async () => {
    process.env["HTTP_PROXY"] = proxy.url;
    proxy.status = 0;
    await assert.rejects(made("http://promptops.test", { timeout: 300 }).getPrompt("greeting"), { code: "timeout" });
    const client = made("http://promptops.test", { timeout: 600_000 });
    const waiting = assert.rejects(client.getPrompt("greeting"), { code: "closed" });
    const watching = client.watch();
    await eventually(() => proxy.asked.length >= 3);
    await client.close();
    await Promise.all([waiting, watching]);
    await eventually(() => proxy.sockets.size === 0);
  });

  describe("an https server", () => {
    let folder: string;
    let secure: https.Server;
    let ca: string;
    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
      const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name)) as [string, string];
      execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=promptops.test",
        "-addext", "subjectAltName=DNS:promptops.test,IP:127.0.0.1"], { stdio: "ignore" });
      ca = await readFile(cert, "utf8");
      const answer: http.RequestListener = (_, response) => response.end('{"key":"greeting","content":"safe"}');
      secure = https.createServer({ key: await readFile(key), cert: ca }, answer).listen(0, "127.0.0.1");
      await once(secure, "listening");
    });
    after(async () => {
      secure.close();
      await rm(folder, { recursive: true });
    });

    test("is asked through a tunnel, and its certificate is checked for its own name", async () => {
      process.env["HTTPS_PROXY"] = proxy.url;
      port = (secure.address() as AddressInfo).port;
      for (const [host, authority] of [["promptops.test", "promptops.test:443"], ["127.0.0.1:4", "127.0.0.1:4"]]) {
        assert.equal((await made(`https://${host}`, { tls: { ca } }).getPrompt("greeting")).content, "safe");
        assert.equal(proxy.asked.at(-1), authority);
      }
      await assert.rejects(made("https://other.test", { tls: { ca } }).getPrompt("greeting"), /can't reach.*altnames/);
      await assert.rejects(made("https://promptops.test").getPrompt("greeting"), { code: "unreachable" });
    });
  });
});

test("which proxy is meant for which address", () => {
  const chosen = (url: string, environment: Record<string, string>): string | null => {
    return proxyFor(new URL(url), environment)?.host ?? null;
  };
  const proxies = { HTTP_PROXY: "http://p:1", HTTPS_PROXY: "s:2" };
  assert.equal(chosen("http://x", proxies), "p:1");
  assert.equal(chosen("https://x", proxies), "s:2");
  assert.equal(chosen("https://x", { HTTP_PROXY: "http://p:1" }), null);
  assert.equal(chosen("http://x", { HTTP_PROXY: "http://p:1", http_proxy: "http://small:3" }), "small:3");
  assert.equal(chosen("http://x", { HTTP_PROXY: "http://forged:1", REQUEST_METHOD: "GET" }), null);
  assert.equal(chosen("http://x", { HTTP_PROXY: " " }), null);
  const excepted: [string, string, boolean][] = [
    ["http://x.org", "x.org", true],
    ["http://a.x.org", "x.org", true],
    ["http://a.x.org", ".x.org", true],
    ["http://a.x.org", "*.X.org", true],
    ["http://ax.org", "x.org", false],
    ["http://x.org.", "x.org", true],
    ["http://x.org:81", "x.org:81", true],
    ["http://x.org:81", "x.org:80", false],
    ["http://x.org", "x.org:80", true],
    ["http://x.org", "a b,*", true],
    ["http://10.1.2.3", "10.0.0.0/8", true],
    ["http://11.1.2.3", "10.0.0.0/8", false],
    ["http://10.1.2.3", "10.0.0.0/99", false],
    ["http://[::1]:80", "::1", true],
    ["http://[::1]:80", "[::1]:80", true],
    ["http://[fd00::1]", "fd00::/8", true],
    ["http://x.org", "", false],
  ];
  for (const [url, exceptions, isExcepted] of excepted) {
    assert.equal(chosen(url, { ...proxies, NO_PROXY: exceptions }) === null, isExcepted, `${url} ${exceptions}`);
  }
});
