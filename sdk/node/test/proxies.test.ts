// HTTP proxies of the environment, for fetches and for the watch.
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

import { ServerAddress } from "../src/address.js";
import { PromptOpsClient, type PromptOpsError } from "../src/index.js";
import { hostOf, portOf, proxyFor, proxyHeaders } from "../src/proxy.js";
import { eventually, FakeServer } from "./server.js";

const NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "REQUEST_METHOD"];

/** Makes tunnels, forwards requests, and resolves one host: the server of the test. */
class Proxy {
  readonly requests: string[] = [];
  readonly logins: (string | undefined)[] = [];
  status = 200;
  readonly sockets = new Set<Socket>();
  readonly listener = http.createServer((request, response) => this.#forward(request, response));

  constructor(private readonly target: () => number) {
    this.listener.on("connection", (socket) => this.#track(socket));
    this.listener.on("connect", (request: http.IncomingMessage, socket: Socket, head: Buffer) => {
      this.requests.push(request.url!);
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

  #forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.requests.push(request.url!);
    this.logins.push(request.headers["proxy-authorization"]);
    if (this.status === 0) return;
    if (this.status !== 200) return void response.writeHead(this.status).end();
    const { pathname, search } = new URL(request.url!);
    const { "proxy-authorization": _login, ...headers } = request.headers;
    http.get({ host: "127.0.0.1", port: this.target(), path: pathname + search, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
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
    const fetch = "http://promptops.test:1234/api/sdk/prompts/greeting";
    assert.deepEqual(new Set(proxy.requests.map((request) => request.split("?")[0])), new Set([fetch, "promptops.test:1234"]));
    assert.equal(proxy.requests.filter((request) => request === "promptops.test:1234").length, 1);
    const login = `Basic ${Buffer.from("ada:p@ss").toString("base64")}`;
    assert.deepEqual(new Set(proxy.logins), new Set([login]));
    assert.equal(server.connections[0]!.headers["proxy-authorization"], undefined);
  });

  test("hosts in NO_PROXY are reached directly", async () => {
    process.env["HTTP_PROXY"] = proxy.url;
    process.env["NO_PROXY"] = "example.org, 127.0.0.1";
    const client = made(server.url);
    assert.equal((await client.getPrompt("greeting")).source, "server");
    await client.watch();
    assert.deepEqual(proxy.requests, []);
  });

  test("a refusal and a missing proxy are clear errors, without its password", async () => {
    process.env["http_proxy"] = process.env["https_proxy"] = proxy.url.replace("//", "//ada:s3cret@");
    proxy.status = 407;
    for (const url of ["http://promptops.test", "https://promptops.test"]) {
      await assert.rejects(made(url).getPrompt("greeting"), {
        code: "unreachable",
        message: `can't reach ${url}: the proxy ${proxy.url.replace("//", "//***@")} refused: 407; check its user and password`,
      });
    }
    process.env["http_proxy"] = process.env["https_proxy"] = "http://ada:s3cret@127.0.0.1:1";
    for (const url of ["http://promptops.test", "https://promptops.test"]) {
      await assert.rejects(made(url).getPrompt("greeting"), (error: Error) => {
        return /the proxy http:\/\/\*\*\*@127\.0\.0\.1:1: .*ECONNREFUSED/.test(error.message) && !error.message.includes("s3cret");
      });
    }
    process.env["http_proxy"] = "socks5://ada:s3cret@x";
    assert.throws(() => made("http://promptops.test"), (error: Error) => {
      return error instanceof TypeError && /HTTP_PROXY must look like .*socks5:\/\/\*\*\*@x/.test(error.message);
    });
  });

  test("a percent sign that encodes nothing is part of the password", async () => {
    process.env["HTTP_PROXY"] = proxy.url.replace("//", "//ada:100%@");
    assert.equal((await made("http://promptops.test").getPrompt("greeting")).source, "server");
    assert.deepEqual(proxy.logins, [`Basic ${Buffer.from("ada:100%").toString("base64")}`]);
  });

  test("a proxy that hangs is a time-out, and close ends waiting requests", async () => {
    process.env["HTTP_PROXY"] = proxy.url;
    proxy.status = 0;
    for (const url of ["http://promptops.test", "https://promptops.test"]) {
      process.env["HTTPS_PROXY"] = proxy.url;
      await assert.rejects(made(url, { timeout: 300 }).getPrompt("greeting"), (error: PromptOpsError) => {
        return error.code === "timeout" && error.message.includes(`the proxy ${proxy.url}`);
      });
    }
    const client = made("http://promptops.test", { timeout: 600_000 });
    const waiting = assert.rejects(client.getPrompt("greeting"), { code: "closed" });
    const watching = client.watch();
    await eventually(() => proxy.requests.length >= 4);
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

    test("is reached through a tunnel, and its certificate is checked for its own name", async () => {
      process.env["HTTPS_PROXY"] = proxy.url;
      port = (secure.address() as AddressInfo).port;
      for (const [host, authority] of [["promptops.test", "promptops.test:443"], ["127.0.0.1:4", "127.0.0.1:4"]]) {
        assert.equal((await made(`https://${host}`, { tls: { ca } }).getPrompt("greeting")).content, "safe");
        assert.equal(proxy.requests.at(-1), authority);
      }
      await assert.rejects(made("https://other.test", { tls: { ca } }).getPrompt("greeting"), /can't reach.*altnames/);
      await assert.rejects(made("https://promptops.test").getPrompt("greeting"), { code: "unreachable" });
    });
  });
});

test("which proxy is meant for which server, and its login", async (t) => {
  const file = new URL("../../../conformance/proxies.json", import.meta.url);
  const { format, cases } = JSON.parse(await readFile(file, "utf8"));
  assert.equal(format, 1);
  for (const { name, server, environment, proxy, authorization, refused } of cases) {
    await t.test(name, () => {
      const { url } = new ServerAddress(server, "t");
      if (refused) {
        assert.throws(() => proxyFor(new URL(url), environment), { name: "TypeError", message: refused });
        return;
      }
      const chosen = proxyFor(new URL(url), environment);
      assert.equal(chosen && `${hostOf(chosen)}:${portOf(chosen)}`, proxy);
      if (authorization !== undefined) assert.equal(proxyHeaders(chosen!)["proxy-authorization"] ?? null, authorization);
    });
  }
});
