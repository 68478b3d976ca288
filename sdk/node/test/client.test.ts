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

  const made = (options: Partial<ClientOptions> = {}): PromptOpsClient => {
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

  test("answers with all that is known, and from memory then", async () => {
    const client = made();
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
    const client = made();
    const prompt = await client.getPrompt("greeting");
    prompt.content = "mine";
    assert.throws(() => ((prompt.config as { temperature: number }).temperature = 2), TypeError);
    assert.equal((await client.getPrompt("greeting")).content, "Hello {{who}}!");
  });

  test("keys, workspaces and namespaces of any text reach the server as they are", async () => {
    const key = "a/b?c=d&e #é😀";
    server.put(key, "found");
    assert.equal(await made({ namespace: "p&q", workspace: "w=1" }).render(key), "found");
    const query = server.fetches[0]!.searchParams;
    assert.deepEqual([query.get("env"), query.get("workspace")], ["p&q", "w=1"]);
  });

  test("chat prompts are rendered message by message", async () => {
    const messages = [
      { role: "system", content: "Be {{how}}.", name: "x" },
      { role: "user", content: "{{q}}" },
    ];
    server.put("chat", "Be {{how}}.\n\n{{q}}", { kind: "chat", messages });
    const client = made();
    assert.deepEqual(await client.renderMessages("chat", { how: "brief", q: "Why?" }), [
      { role: "system", content: "Be brief.", name: "x" },
      { role: "user", content: "Why?" },
    ]);
    assert.deepEqual(await client.renderMessages("greeting", { who: "Ada" }), [
      { role: "user", content: "Hello Ada!" },
    ]);
    await assert.rejects(client.renderMessages("chat", { how: "brief" }, { strict: true }), MissingVariableError);
  });

  test("many callers are one fetch, and a refresh is one that begins later", async () => {
    const held: (() => void)[] = [];
    server.onFetch = (request, response) => held.push(() => server.answer(request, response));
    const client = made();
    const callers = Array.from({ length: 50 }, () => client.render("greeting", { who: "Ada" }));
    await eventually(() => held.length === 1);
    const refreshed = Array.from({ length: 50 }, () => client.getPrompt("greeting", { refresh: true }));
    server.put("greeting", "Bye");
    held[0]!();
    assert.deepEqual(new Set(await Promise.all(callers)), new Set(["Bye"]));
    await eventually(() => held.length === 2);
    held[1]!();
    assert.deepEqual(new Set((await Promise.all(refreshed)).map((each) => each.source)), new Set(["server"]));
    assert.equal(server.fetches.length, 2);
  });

  const wrong: [string, FakeServer["onFetch"], new (...given: any[]) => PromptOpsError][] = [
    ["is not JSON", (_, response) => response.end("<html>"), ProtocolError],
    ["is a list", (_, response) => response.end("[]"), ProtocolError],
    ["has no content", (_, response) => response.end('{"key":"greeting"}'), ProtocolError],
    ["is not UTF-8", (_, response) => response.end(Buffer.from([0x22, 0xff, 0x22])), ProtocolError],
    ["is nested without end", (_, response) => response.end(`{"a":${"[".repeat(1e6)}${"]".repeat(1e6)}}`), ProtocolError],
    ["is cut off", (_, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("{", () => response.destroy());
    }, ServerUnreachableError],
    ["is no HTTP", (request) => request.socket.end("SSH-2.0-x\r\n"), ProtocolError],
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
    ["is a 404 whose error is no text", (_, response) => response.writeHead(404).end('{"error":{}}'), ProtocolError],
    ["has a salt that is no text", (_, response) => response.end(
      '{"key":"greeting","content":"a","rollout":{"salt":"\\ud800","variants":[{"name":"n","weight":10000,"content":"a"}]}}'), ProtocolError],
    ["has weights that don't add up", (_, response) => response.end(
      '{"key":"greeting","content":"a","rollout":{"salt":"s","variants":[{"name":"n","weight":1,"content":"a"}]}}'), ProtocolError],
  ];
  for (const [name, onFetch, kind] of wrong) {
    test(`an answer that ${name} is a clear error, and changes nothing that is held`, async () => {
      const client = made({ timeout: 400 });
      await client.getPrompt("greeting");
      server.onFetch = onFetch;
      const fresh = made({ timeout: 400 });
      await assert.rejects(fresh.getPrompt("greeting"), (error: PromptOpsError) => {
        return error instanceof kind && (kind !== ResponseError || error.code === "server");
      });
      const kept = await client.getPrompt("greeting", { refresh: true });
      assert.deepEqual([kept.content, kept.source], ["Hello {{who}}!", "memory"]);
      assert.equal(await fresh.render("greeting", { who: "Ada" }, { default: "Hi {{who}}" }), "Hi Ada");
    });
  }

  test("each fetch draws anew, also one that finds the same", async () => {
    const variants = ["a", "b"].map((name) => ({ name, weight: 5000, content: name }));
    server.put("drawn", "served", { rollout: { salt: "s", variants } });
    const client = made();
    const seen = new Set<string | null>();
    for (let left = 60; left > 0; left--) {
      const { variant, content } = await client.getPrompt("drawn", { refresh: true });
      assert.equal(content, variant);
      seen.add(variant);
    }
    assert.equal(seen.size, 2);
  });

  test("304 to what is not held is an error", async () => {
    server.onFetch = (_, response) => response.writeHead(304).end();
    await assert.rejects(made().getPrompt("greeting"), { code: "server", status: 304 });
  });

  test("what is on disk is for its owner only, and as the other clients write it", async () => {
    const saving = made({ cacheDir: path.join(folder, "new") });
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
    const found = await made({ cacheDir: folder }).getPrompt("greeting");
    assert.deepEqual([found.content, found.source, found.revision], ["saved é {", "disk", 7]);
    assert.ok(found.age! > 0);
  });

  test("a folder that can't be used changes nothing", async () => {
    const file = path.join(folder, "file");
    await writeFile(file, "");
    assert.equal((await made({ cacheDir: path.join(file, "x") }).getPrompt("greeting")).source, "server");
  });

  test("an error that nobody listens for, and a listener that throws, end nothing", async () => {
    const client = made();
    await client.getPrompt("greeting");
    server.onFetch = (_, response) => response.writeHead(401).end();
    assert.equal((await client.getPrompt("greeting", { refresh: true })).source, "memory");
    const told: unknown[] = [];
    client.on("error", () => {
      throw new Error("the listener's own");
    });
    client.on("error", async () => Promise.reject(new Error("and asynchronously")));
    client.once("error", (error) => told.push(error.code));
    await client.getPrompt("greeting", { refresh: true });
    await client.getPrompt("greeting", { refresh: true });
    assert.deepEqual(told, ["unauthorized"]);
  });

  test("close ends requests at once, and what is held can still be read", async () => {
    const client = made({ timeout: 60_000 });
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

  test("a default of null is as not given", async () => {
    await assert.rejects(made().getPrompt("none", { default: null }), NotFoundError);
    assert.equal((await made().getPrompt("none", { default: "" })).source, "default");
  });

  test("what Node refuses to send is an error of the client", async () => {
    const http = new HttpClient(new ServerAddress(server.url, "t"), 1000);
    await assert.rejects(http.get(server.url, { "if-none-match": "a\nb" }, 1000), ServerUnreachableError);
    http.close();
  });

  test("404 is the not-found error, with the server's words", async () => {
    await assert.rejects(made().getPrompt("none"), (error) => {
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

  test("an option that is null is named, and a password is masked", () => {
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

  test("without a server it is a TypeError that says how to give one", () => {
    for (const options of [undefined, null, {}, { server: undefined }, { server: null }, { server: "" }]) {
      assert.throws(() => new PromptOpsClient(options as never), (error) => {
        return error instanceof TypeError && error.message.includes('{ server: "http://host:8080" }');
      });
    }
  });

  test("refuses keys and events that can't be", async () => {
    const client = made();
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
