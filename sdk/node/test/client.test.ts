import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";

import {
  type ClientOptions,
  ClientClosedError,
  ForbiddenError,
  MissingVariableError,
  NotFoundError,
  PromptOpsClient,
  type PromptOpsError,
  ProtocolError,
  RequestTimeoutError,
  ResponseError,
  ServerUnreachableError,
} from "../src/index.js";
import { ServerAddress } from "../src/address.js";
import { HttpClient } from "../src/http.js";
import { eventually, FakeServer } from "./server.js";

const ENCRYPTED_KEY = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "right" },
}).privateKey;

describe("a client", () => {
  let server: FakeServer;
  let folder: string;
  const clients: PromptOpsClient[] = [];

  const makeClient = (options: Partial<ClientOptions> = {}): PromptOpsClient => {
    const client = new PromptOpsClient({ server: server.url, token: "t", timeout: 2000, ...options });
    clients.push(client);
    return client;
  };

  beforeEach(async () => {
    server = await new FakeServer().start();
    server.put("greeting", "Hello {{who}}!", { config: { temperature: 0.5 }, variables: ["who"] });
    folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test("returns all fields, and then reads from memory", async () => {
    const client = makeClient();
    const { age, ...prompt } = await client.getPrompt("greeting");
    assert.deepEqual(prompt, {
      key: "greeting",
      version: "v1",
      env: "prod",
      model: "",
      content: "Hello {{who}}!",
      variant: null,
      kind: "text",
      messages: [],
      config: { temperature: 0.5 },
      variables: ["who"],
      source: "server",
      revision: 1,
    });
    assert.ok(age !== null && age < 2);
    assert.equal((await client.getPrompt("greeting")).source, "memory");
    assert.equal(await client.render("greeting", { who: "Ada" }), "Hello Ada!");
    assert.equal(server.fetches.length, 1);
  });

  test("a caller's changes are not the next one's", async () => {
    const client = makeClient();
    const prompt = await client.getPrompt("greeting");
    prompt.content = "mine";
    assert.throws(() => ((prompt.config as { temperature: number }).temperature = 2), TypeError);
    assert.equal((await client.getPrompt("greeting")).content, "Hello {{who}}!");
  });

  test("keys, workspaces and namespaces of any text reach the server as they are", async () => {
    const key = "a/b?c=d&e #é😀";
    server.put(key, "found");
    assert.equal(await makeClient({ namespace: "p&q", workspace: "w=1" }).render(key), "found");
    const query = server.fetches[0]!.searchParams;
    assert.deepEqual([query.get("env"), query.get("workspace")], ["p&q", "w=1"]);
  });

  test("chat prompts are rendered message by message", async () => {
    const messages = [
      { role: "system", content: "Be {{how}}.", name: "x" },
      { role: "user", content: "{{q}}" },
    ];
    server.put("chat", "Be {{how}}.\n\n{{q}}", { kind: "chat", messages });
    const client = makeClient();
    assert.deepEqual(await client.renderMessages("chat", { how: "brief", q: "Why?" }), [
      { role: "system", content: "Be brief.", name: "x" },
      { role: "user", content: "Why?" },
    ]);
    assert.deepEqual(await client.renderMessages("greeting", { who: "Ada" }), [
      { role: "user", content: "Hello Ada!" },
    ]);
    await assert.rejects(client.renderMessages("chat", { how: "brief" }, { strict: true }), MissingVariableError);
  });

  test("concurrent callers share one fetch, and a refresh starts a later one", async () => {
    const responses: (() => void)[] = [];
    server.onFetch = (request, response) => responses.push(() => server.answer(request, response));
    const client = makeClient();
    const callers = Array.from({ length: 50 }, () => client.render("greeting", { who: "Ada" }));
    await eventually(() => responses.length === 1);
    const refreshed = Array.from({ length: 50 }, () => client.getPrompt("greeting", { refresh: true }));
    server.put("greeting", "Bye");
    responses[0]!();
    assert.deepEqual(new Set(await Promise.all(callers)), new Set(["Bye"]));
    await eventually(() => responses.length === 2);
    responses[1]!();
    assert.deepEqual(new Set((await Promise.all(refreshed)).map((prompt) => prompt.source)), new Set(["server"]));
    assert.equal(server.fetches.length, 2);
  });

  const wrong: [string, FakeServer["onFetch"], new (...args: any[]) => PromptOpsError][] = [
    ["is not JSON", (_, response) => response.end("<html>"), ProtocolError],
    ["is a list", (_, response) => response.end("[]"), ProtocolError],
    ["has no content", (_, response) => response.end('{"key":"greeting"}'), ProtocolError],
    ["is not UTF-8", (_, response) => response.end(Buffer.from([0x22, 0xff, 0x22])), ProtocolError],
    ["is nested without end", (_, response) => response.end(`{"a":${"[".repeat(1e6)}${"]".repeat(1e6)}}`), ProtocolError],
    ["is cut off", (_, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("{", () => response.destroy());
    }, ServerUnreachableError],
    ["is not HTTP", (request) => request.socket.end("SSH-2.0-x\r\n"), ProtocolError],
    ["is an upgrade that nobody asked for", (request) => {
      request.socket.end("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    }, ServerUnreachableError],
    ["is a hang-up", (request) => request.socket.destroy(), ServerUnreachableError],
    ["never ends", (_, response) => void response.writeHead(200).write("{"), RequestTimeoutError],
    ["never begins", () => undefined, RequestTimeoutError],
    ["is 500", (_, response) => response.writeHead(500).end("oops"), ResponseError],
    ["is 503 with Retry-After", (_, response) => response.writeHead(503, { "retry-after": "60" }).end(), ResponseError],
    ["is a redirect", (_, response) => response.writeHead(302, { location: "/" }).end(), ResponseError],
    ["is 403", (_, response) => response.writeHead(403).end('{"error":"forbidden: requires x"}'), ForbiddenError],
    ["is somebody else's 404", (_, response) => response.writeHead(404).end("404 page not found"), ProtocolError],
    ["is a 404 of other JSON", (_, response) => response.writeHead(404).end('{"message":"no"}'), ProtocolError],
    ["is a 404 whose error is not a text", (_, response) => response.writeHead(404).end('{"error":{}}'), ProtocolError],
    ["has a salt that is not a text", (_, response) => response.end(
      '{"key":"greeting","content":"a","rollout":{"salt":"\\ud800","variants":[{"name":"n","weight":10000,"content":"a"}]}}'), ProtocolError],
    ["has weights that don't add up", (_, response) => response.end(
      '{"key":"greeting","content":"a","rollout":{"salt":"s","variants":[{"name":"n","weight":1,"content":"a"}]}}'), ProtocolError],
  ];
  for (const [name, onFetch, kind] of wrong) {
    test(`an answer that ${name} is a clear error, and changes no cached prompt`, async () => {
      const client = makeClient({ timeout: 400 });
      await client.getPrompt("greeting");
      server.onFetch = onFetch;
      const fresh = makeClient({ timeout: 400 });
      await assert.rejects(fresh.getPrompt("greeting"), (error: PromptOpsError) => {
        return error instanceof kind && (kind !== ResponseError || error.code === "server");
      });
      const prompt = await client.getPrompt("greeting", { refresh: true });
      assert.deepEqual([prompt.content, prompt.source], ["Hello {{who}}!", "memory"]);
      assert.equal(await fresh.render("greeting", { who: "Ada" }, { default: "Hi {{who}}" }), "Hi Ada");
    });
  }

  test("each fetch draws a variant, even if the prompt has not changed", async () => {
    const variants = ["a", "b"].map((name) => ({ name, weight: 5000, content: name }));
    server.put("drawn", "served", { rollout: { salt: "s", variants } });
    const client = makeClient();
    const drawnNames = new Set<string | null>();
    for (let left = 60; left > 0; left--) {
      const { variant, content } = await client.getPrompt("drawn", { refresh: true });
      assert.equal(content, variant);
      drawnNames.add(variant);
    }
    assert.equal(drawnNames.size, 2);
  });

  test("a 304 without a cached copy is an error", async () => {
    server.onFetch = (_, response) => response.writeHead(304).end();
    await assert.rejects(makeClient().getPrompt("greeting"), { code: "server", status: 304 });
  });

  test("files on disk are private, and have the format of the other clients", async () => {
    const saving = makeClient({ cacheDir: path.join(folder, "new") });
    await saving.getPrompt("greeting");
    await saving.close();
    const [name, ...others] = await readdir(path.join(folder, "new"));
    const expected = createHash("sha256").update(`${server.url}\n\nprod\ngreeting`).digest("hex");
    assert.deepEqual([name, others], [`${expected}.json`, []]);
    const file = path.join(folder, "new", name!);
    assert.equal((await stat(file)).mode & 0o077, 0);
    const text = await readFile(file, "utf8");
    const saved = JSON.parse(text);
    assert.deepEqual(Object.keys(saved), ["sha256", "saved_at", "epoch", "revision", "prompt"]);
    const prompt = text.slice(text.indexOf('"prompt":') + 9, -1);
    assert.equal(createHash("sha256").update(prompt).digest("hex"), saved.sha256);
  });

  test("a file with blanks between its members is read too", async () => {
    const prompt = '{ "key": "greeting",\n "content": "saved é {" }';
    const sha256 = createHash("sha256").update(prompt).digest("hex");
    const name = createHash("sha256").update(`${server.url}\n\nprod\ngreeting`).digest("hex");
    const head = `{ "saved_at": "2026-01-01T00:00:00Z", "revision": 7, "epoch": null, "sha256": "${sha256}"`;
    await writeFile(path.join(folder, `${name}.json`), `${head},\n "prompt" : ${prompt} }\n`);
    await server.stop();
    const copy = await makeClient({ cacheDir: folder }).getPrompt("greeting");
    assert.deepEqual([copy.content, copy.source, copy.revision], ["saved é {", "disk", 7]);
    assert.ok(copy.age! > 0);
  });

  test("a folder that can't be used changes nothing", async () => {
    const file = path.join(folder, "file");
    await writeFile(file, "");
    assert.equal((await makeClient({ cacheDir: path.join(file, "x") }).getPrompt("greeting")).source, "server");
  });

  test("an error without a listener, and a listener that throws, do not stop the client", async () => {
    const client = makeClient();
    await client.getPrompt("greeting");
    server.onFetch = (_, response) => response.writeHead(401).end();
    assert.equal((await client.getPrompt("greeting", { refresh: true })).source, "memory");
    const errorCodes: unknown[] = [];
    client.on("error", () => {
      throw new Error("the listener's own");
    });
    client.on("error", async () => Promise.reject(new Error("and asynchronously")));
    client.once("error", (error) => errorCodes.push(error.code));
    await client.getPrompt("greeting", { refresh: true });
    await client.getPrompt("greeting", { refresh: true });
    assert.deepEqual(errorCodes, ["unauthorized"]);
  });

  test("close ends requests immediately, and cached prompts can still be read", async () => {
    const client = makeClient({ timeout: 60_000 });
    await client.getPrompt("greeting");
    server.onFetch = () => undefined;
    const waiting = client.getPrompt("other");
    await eventually(() => server.fetches.length === 2);
    await Promise.all([assert.rejects(waiting, ClientClosedError), client.close(), client.close()]);
    assert.equal((await client.getPrompt("greeting")).source, "memory");
    await assert.rejects(client.getPrompt("other"), ClientClosedError);
    await assert.rejects(client.watch(), ClientClosedError);
    await eventually(() => server.openSockets === 0);
  });

  test("a default of null counts as missing", async () => {
    await assert.rejects(makeClient().getPrompt("none", { default: null }), NotFoundError);
    assert.equal((await makeClient().getPrompt("none", { default: "" })).source, "default");
  });

  test("a request that Node refuses to send is an error of the client", async () => {
    const http = new HttpClient(new ServerAddress(server.url, "t"), 1000);
    await assert.rejects(http.get(server.url, { "if-none-match": "a\nb" }, 1000), ServerUnreachableError);
    http.close();
  });

  test("404 is the not-found error, with the server's message", async () => {
    await assert.rejects(makeClient().getPrompt("none"), (error) => {
      return error instanceof NotFoundError && error.message === "404: no such prompt" && error.name === "NotFoundError";
    });
  });

  const impossible: Partial<ClientOptions>[] = [
    { server: "localhost:8080" },
    { server: "ftp://x" },
    { server: "http://user:pass@x" },
    { server: "http://x?y" },
    { token: "" },
    { token: null as never },
    { timeout: null as never },
    { timeout: "5" as never },
    { maxAge: null as never },
    { cacheDir: null as never },
    { cacheDir: "" },
    { bundle: null as never },
    { appName: 7 as never },
    { token: "a\nb" },
    { timeout: 0 },
    { timeout: NaN },
    { timeout: 2 ** 31 },
    { maxAge: -1 },
    { namespace: "\ud800" },
    { namespace: null as never },
    { workspace: "\udfff" },
    { appName: "x\ud800" },
    { server: "https://x", tls: { cert: "-----BEGIN garbage", key: "x" } },
    { server: "https://x", tls: { ca: 7 as never } },
    { server: "https://x", tls: { key: ENCRYPTED_KEY, passphrase: "wrong" } },
  ];
  for (const options of impossible) {
    test(`refuses ${JSON.stringify(options).slice(0, 60)}`, () => {
      assert.throws(() => new PromptOpsClient({ server: "http://x", ...options }), TypeError);
    });
  }

  test("the error for a null option names it, and a password is masked", () => {
    const words = (options: Partial<ClientOptions>): string => {
      try {
        return String(new PromptOpsClient({ server: "http://x", ...options }));
      } catch (error) {
        return (error as Error).message;
      }
    };
    assert.equal(words({ namespace: null as never }), "namespace must be text, not null; leave it out if you have none");
    assert.match(words({ timeout: null as never }), /^timeout must be milliseconds, 1 or more, not null$/);
    assert.match(words({ token: null as never }), /^the token must be printable/);
    const masked = words({ server: "http://ada:s3cret@x:80/p" });
    assert.ok(masked.includes("http://***@x:80/p") && !/ada|s3cret/.test(masked), masked);
  });

  test("without a server it throws a TypeError that explains how to pass one", () => {
    for (const options of [undefined, null, {}, { server: undefined }, { server: null }, { server: "" }]) {
      assert.throws(() => new PromptOpsClient(options as never), (error) => {
        return error instanceof TypeError && error.message.includes('{ server: "http://host:8080" }');
      });
    }
  });

  test("rejects invalid keys and events", async () => {
    const client = makeClient();
    await assert.rejects(client.getPrompt(""), TypeError);
    for (const key of ["\ud800", ".", ".."]) {
      await assert.rejects(client.getPrompt(key, { default: "d" }), TypeError, key);
    }
    server.put("...", "dots");
    assert.equal(await client.render("..."), "dots");
    await assert.rejects(client.getPrompt("greeting", { subject: "\ud800", default: "d" }), TypeError);
    assert.throws(() => client.on("updated" as "update", () => undefined), TypeError);
    assert.throws(() => client.on("update", null as never), TypeError);
  });

  after(() => assert.equal(clients.length, 0));
});
