// Outages: their cost, their warnings, and preloads before them.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";

import { ClientClosedError, type ClientOptions, PromptOpsClient, ProtocolError } from "../src/index.js";
import { eventually, FakeServer, warningsOf } from "./server.js";

const KEYS = ["a", "b", "c", "d"];

describe("an outage", () => {
  let server: FakeServer;
  let folder: string;
  let warnings: ReturnType<typeof warningsOf>;
  const clients: PromptOpsClient[] = [];
  const made = (options: Partial<ClientOptions> = {}): PromptOpsClient => {
    const client = new PromptOpsClient({ server: server.url, token: "t", timeout: 1000, ...options });
    clients.push(client);
    return client;
  };
  const snapshot = (): string => {
    return JSON.stringify({ epoch: server.epoch, revision: server.revision, env: "prod", prompts: [...server.prompts.values()] });
  };
  const answersSnapshot = (body: () => string, status = 200): void => {
    server.onFetch = (request, response) => {
      if (!request.url!.startsWith("/api/sdk/snapshot")) return server.answer(request, response);
      const headers = { "x-promptops-revision": String(server.revision), "x-promptops-epoch": server.epoch };
      response.writeHead(status, headers).end(body());
    };
  };

  beforeEach(async () => {
    server = await new FakeServer().start();
    for (const key of KEYS) server.put(key, `text ${key}`);
    folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
    warnings = warningsOf();
  });
  afterEach(async () => {
    warnings.stop();
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test("of a server that hangs costs one time-out if there are copies or defaults", async () => {
    const saving = made({ cacheDir: folder });
    for (const key of KEYS) await saving.getPrompt(key);
    await saving.close();
    server.onFetch = () => undefined;
    const client = made({ cacheDir: folder });
    const before = server.fetches.length;
    assert.equal((await client.getPrompt("a")).source, "disk");
    const fetchCount = server.fetches.length - before;
    // None of these calls waits for a fetch: all return while the server's responses hang.
    const sources = await Promise.all(KEYS.map(async (key) => (await client.getPrompt(key)).source));
    assert.deepEqual(sources, ["disk", "disk", "disk", "disk"]);
    assert.equal((await client.getPrompt("none", { default: "d" })).source, "default");
    await eventually(() => server.fetches.length - before >= fetchCount + 4);
    server.onFetch = null;
    for (let source = ""; source !== "memory"; ) {
      await new Promise(setImmediate);
      ({ source } = await client.getPrompt("b"));
    }
  });

  test("ends with any response, and without a copy the server is asked", async () => {
    const client = made();
    server.onFetch = (request, response) => void (!request.url!.includes("/a?") && server.answer(request, response));
    await assert.rejects(client.getPrompt("a"), { code: "timeout" });
    assert.equal((await client.getPrompt("b")).source, "server");
    assert.equal((await client.getPrompt("c", { default: "d" })).source, "server");
  });

  test("is one warning, and its end another, without a watch", async () => {
    const client = made({ maxAge: 0 });
    server.onFetch = (_, response) => response.writeHead(503).end('{"error":"tired"}');
    for (const key of KEYS) await assert.rejects(client.getPrompt(key, { refresh: true }));
    server.onFetch = null;
    for (const key of KEYS) await client.getPrompt(key, { refresh: true });
    await eventually(() => warnings.messages.length === 2);
    assert.deepEqual(warnings.messages, ["prompt 'a' can't be fetched: 503: tired", "prompts can be fetched again"]);
    await server.stop();
    for (const key of KEYS) await client.getPrompt(key, { refresh: true });
    await server.start();
    await client.getPrompt("d", { refresh: true });
    await eventually(() => warnings.messages.length === 4);
    assert.match(warnings.messages[2]!, /^prompt 'a' can't be fetched: can't reach http/);
  });

  test("of one key does not end because others succeed", async () => {
    const client = made();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/a?")) response.end('{"key":"other","content":""}');
      else server.answer(request, response);
    };
    for (let times = 0; times < 3; times += 1) {
      await assert.rejects(client.getPrompt("a", { refresh: true }), ProtocolError);
      await client.getPrompt("b", { refresh: true });
    }
    await new Promise(setImmediate);
    assert.equal(warnings.messages.length, 1);
  });

  test("of the cache folder causes one line, whatever the number of keys", async () => {
    const file = path.join(folder, "file");
    await writeFile(file, "");
    const client = made({ cacheDir: path.join(file, "cache") });
    for (const key of KEYS) assert.equal((await client.getPrompt(key)).source, "server");
    server.onFetch = (_, response) => response.writeHead(503).end();
    for (const key of ["x", "y", "z"]) await assert.rejects(client.getPrompt(key));
    await client.close();
    await new Promise(setImmediate);
    assert.equal(warnings.messages.filter((message) => message.startsWith("copies can't be kept")).length, 1);
    assert.equal(warnings.messages.length, 2);
  });

  test("finds the environment in memory and on disk after a preload", async () => {
    answersSnapshot(snapshot);
    const client = made({ cacheDir: folder });
    assert.deepEqual((await client.preload()).sort(), KEYS);
    assert.equal(server.fetches.length, 1);
    for (const key of KEYS) assert.equal((await client.getPrompt(key)).source, "memory");
    assert.equal(server.fetches.length, 1);
    await client.close();
    assert.equal((await readdir(folder)).length, 4);
    await server.stop();
    assert.equal((await made({ cacheDir: folder }).getPrompt("a")).source, "disk");
  });

  test("a preload keeps newer copies, skips invalid prompts, and fails with a clear error", async () => {
    const client = made();
    const older = snapshot();
    server.revision = 2;
    server.put("a", "new");
    await client.getPrompt("a");
    server.revision = 1;
    answersSnapshot(() => older.replace('"prompts":[', '"prompts":[7,{"key":"x"},{"key":"..","content":""},'));
    assert.deepEqual((await client.preload()).sort(), KEYS);
    assert.equal((await client.getPrompt("a")).content, "new");
    answersSnapshot(() => '{"env":"dev","prompts":[]}');
    await assert.rejects(client.preload(), /is of the environment 'dev'/);
    answersSnapshot(() => '{"error":"not found"}', 404);
    await assert.rejects(client.preload(), ProtocolError);
    const errors: string[] = [];
    client.on("error", ({ code }) => errors.push(code));
    answersSnapshot(() => "", 401);
    await assert.rejects(client.preload(), { code: "unauthorized" });
    assert.deepEqual(errors, ["unauthorized"]);
    await client.close();
    await assert.rejects(client.preload(), ClientClosedError);
  });

  test("a preload that a change overtakes ends with the change", async () => {
    const client = made({ timeout: 5000 });
    await client.watch();
    await eventually(() => server.connections.length === 1);
    const older = snapshot();
    let release = (): void => undefined;
    server.onFetch = (_, response) => {
      server.onFetch = null;
      release = () => response.writeHead(200, { "x-promptops-revision": "1", "x-promptops-epoch": server.epoch }).end(older);
    };
    const fetches = server.fetches.length;
    const loading = client.preload();
    await eventually(() => server.fetches.length > fetches);
    server.publish("b", "newer");
    await eventually(() => server.fetchesOf("b").length > 0);
    release();
    await loading;
    assert.equal((await client.getPrompt("b")).content, "newer");
  });

  test("folders for copies are private", async () => {
    const parent = path.join(folder, "deep");
    const client = made({ cacheDir: path.join(parent, "er") });
    await client.getPrompt("a");
    await client.close();
    for (const made of [parent, path.join(parent, "er")]) assert.equal((await stat(made)).mode & 0o777, 0o700);
  });
});
