// A server, a network and a disk that fail, and the results meanwhile.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";

import { type ClientOptions, NotFoundError, PromptOpsClient } from "../src/index.js";
import { eventually, FakeServer, warningsOf } from "./server.js";

describe("a client whose server fails", () => {
  let server: FakeServer;
  let folder: string;
  const clients: PromptOpsClient[] = [];

  const made = (options: Partial<ClientOptions> = {}): PromptOpsClient => {
    const client = new PromptOpsClient({ server: server.url, token: "t", timeout: 2000, ...options });
    clients.push(client);
    return client;
  };
  const saved = async (key: string): Promise<void> => {
    const client = made({ cacheDir: folder });
    await client.getPrompt(key);
    await client.close();
  };
  const fileOf = (key: string): string => {
    const name = createHash("sha256").update(`${server.url}\n\nprod\n${key}`).digest("hex");
    return path.join(folder, `${name}.json`);
  };

  beforeEach(async () => {
    server = await new FakeServer().start();
    server.put("greeting", "one");
    folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test("a 404 of another server removes nothing", async () => {
    const client = made({ cacheDir: folder });
    await client.getPrompt("greeting");
    server.onFetch = (_, response) => response.writeHead(404).end("404 page not found");
    assert.equal((await client.getPrompt("greeting", { refresh: true })).source, "memory");
    await client.close();
    assert.equal((await readdir(folder)).length, 1);
  });

  test("a 404 of a replica that is behind removes nothing, a current one does", async () => {
    server.revision = 5;
    const client = made();
    await client.getPrompt("greeting");
    server.prompts.clear();
    server.onFetch = (request, response) => server.answer(request, response, 4);
    assert.equal((await client.getPrompt("greeting", { refresh: true })).source, "memory");
    server.onFetch = null;
    await assert.rejects(client.getPrompt("greeting", { refresh: true }), NotFoundError);
  });

  test("a response is read up to 16 MiB, which fits 20 variants of the largest size", async () => {
    const text = "x".repeat(262_144);
    const variants = Array.from({ length: 20 }, (_, number) => {
      const messages = [{ role: "user", content: text }];
      return { name: `v${number}`, weight: 500, content: text, kind: "chat", messages };
    });
    server.put("large", text, { rollout: { salt: "s", variants } });
    const client = made({ timeout: 20_000 });
    assert.equal((await client.getPrompt("large")).content.length, text.length);
    server.onFetch = (_, response) => response.end(" ".repeat(16 * 1024 * 1024 + 1));
    await assert.rejects(client.getPrompt("endless"), { code: "protocol" });
  });

  test("with a copy on disk only one call waits, and the server is asked in the background", async () => {
    await saved("greeting");
    const client = made({ cacheDir: folder });
    server.onFetch = (_, response) => response.writeHead(503).end();
    assert.equal((await client.getPrompt("greeting")).source, "disk");
    const responses: (() => void)[] = [];
    server.onFetch = (request, response) => responses.push(() => server.answer(request, response));
    for (const until = performance.now() + 5000; responses.length === 0; ) {
      assert.ok(performance.now() < until);
      assert.equal((await client.getPrompt("greeting")).source, "disk");
      await new Promise(setImmediate);
    }
    const callers = Array.from({ length: 20 }, () => client.getPrompt("greeting"));
    assert.deepEqual(new Set((await Promise.all(callers)).map(({ source }) => source)), new Set(["disk"]));
    responses[0]!();
    for (let source = "disk"; source !== "memory"; ) {
      await new Promise(setImmediate);
      ({ source } = await client.getPrompt("greeting"));
    }
    assert.equal(responses.length, 1);
  });

  test("after a reconnect still only one call waits", async () => {
    await saved("greeting");
    const client = made({ cacheDir: folder });
    server.onFetch = (_, response) => response.writeHead(503).end();
    assert.equal((await client.getPrompt("greeting")).source, "disk");
    server.onFetch = () => undefined;
    await client.watch();
    assert.equal((await client.getPrompt("greeting")).source, "disk");
    await eventually(() => server.fetches.length === 4);
  });

  test("an older copy does not replace a newer one on disk", async () => {
    server.revision = 5;
    server.put("greeting", "new");
    await saved("greeting");
    server.put("greeting", "old");
    server.onFetch = (request, response) => server.answer(request, response, 3);
    await saved("greeting");
    server.onFetch = (_, response) => response.writeHead(503).end();
    const { content, revision } = await made({ cacheDir: folder }).getPrompt("greeting");
    assert.deepEqual([content, revision], ["new", 5]);
    server.epoch = "epoch-2";
    server.onFetch = (request, response) => server.answer(request, response, 3);
    await saved("greeting");
    server.onFetch = (_, response) => response.writeHead(503).end();
    assert.equal((await made({ cacheDir: folder }).getPrompt("greeting")).content, "old");
  });

  test("a disk that hangs delays no response of the server, and fallbacks by a second", async () => {
    execFileSync("mkfifo", [fileOf("greeting"), fileOf("other")]);
    const warnings = warningsOf();
    const client = made({ cacheDir: folder });
    try {
      assert.equal((await client.getPrompt("greeting")).source, "server");
      server.onFetch = (_, response) => response.writeHead(503).end();
      const began = performance.now();
      assert.equal((await client.getPrompt("other", { default: "d" })).source, "default");
      assert.ok(performance.now() - began < 4000);
      await eventually(() => warnings.messages.length === 2);
      assert.match(warnings.messages[1]!, /'other' was not read within 1000 ms/);
    } finally {
      warnings.stop();
      for (const key of ["greeting", "other"]) await endReadsOf(fileOf(key));
    }
  });

  test("an invalid prompt in the bundle is skipped with a warning", async () => {
    const warnings = warningsOf();
    const prompts = [{ key: "bad", content: null }, { content: "no key" }, { key: "good", content: "fine" }];
    const bundle = path.join(folder, "bundle.json");
    await writeFile(bundle, JSON.stringify({ epoch: "e", revision: 1, env: "prod", prompts }));
    server.onFetch = (_, response) => response.writeHead(503).end();
    const client = made({ bundle });
    assert.equal((await client.getPrompt("good")).source, "bundle");
    await assert.rejects(client.getPrompt("bad"), { code: "server" });
    warnings.stop();
    assert.match(warnings.messages.join(), /a prompt of the bundle .* is skipped: .*content/);
  });
});

describe("a reused connection", () => {
  let listener: http.Server;
  let connections: Socket[];
  let client: PromptOpsClient;
  let answer: http.RequestListener;
  const right: http.RequestListener = (request, response) => {
    response.end(JSON.stringify({ key: /prompts\/(\w+)/.exec(request.url!)![1], content: "x" }));
  };

  beforeEach(async () => {
    connections = [];
    answer = right;
    listener = http.createServer({ keepAliveTimeout: 0 }, (request, response) => answer(request, response));
    listener.on("connection", (socket) => connections.push(socket));
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const server = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    client = new PromptOpsClient({ server, token: "t", timeout: 2000 });
    await client.getPrompt("a");
  });
  afterEach(async () => {
    await client.close();
    await new Promise((resolve) => listener.close(resolve));
  });

  test("that is dead costs half of the time", async () => {
    const dead = connections[0];
    answer = (request, response) => void (request.socket !== dead && right(request, response));
    assert.equal((await client.getPrompt("b")).source, "server");
    assert.equal(connections.length, 2);
  });

  test("is used again, and dropped before servers drop it", async () => {
    await client.getPrompt("b");
    assert.equal(connections.length, 1);
    assert.equal(connections[0]!.destroyed, false);
    await eventually(() => connections[0]!.destroyed);
  });
});

/** Opening a pipe for reading waits for a writer. */
async function endReadsOf(pipe: string): Promise<void> {
  for (let left = 3; left > 0; left -= 1) {
    const writer = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => null);
    await writer?.close();
    await new Promise(setImmediate);
  }
}
