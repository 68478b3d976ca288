// Which responses count: 404s of PromptOps and of others, and keys of prompts.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";

import { type ClientOptions, NotFoundError, PromptOpsClient, ProtocolError } from "../src/index.js";
import { FakeServer } from "./server.js";

const GATEWAYS = {
  "with a status code": '{"error":"Not Found","statusCode":404,"message":"Cannot GET /api"}',
  "with a timestamp": '{"timestamp":"2026-01-01T00:00:00Z","status":404,"error":"Not Found","path":"/api"}',
  "of a path without a route": '{"error":"there is no route /api","code":"http_404"}',
  "of a text": "404 page not found",
  "of other JSON": '{"message":"no Route matched"}',
  "whose error is an object": '{"error":{"code":404}}',
  "of an endless body": `{"error":"${"x".repeat(100_000)}"}`,
};

describe("a 404", () => {
  let server: FakeServer;
  let folder: string;
  const clients: PromptOpsClient[] = [];
  const made = (options: Partial<ClientOptions> = {}): PromptOpsClient => {
    const client = new PromptOpsClient({ server: server.url, token: "t", timeout: 2000, cacheDir: folder, ...options });
    clients.push(client);
    return client;
  };
  const answers = (status: number, body: string, headers: Record<string, string> = {}): void => {
    server.onFetch = (_, response) => response.writeHead(status, headers).end(body);
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

  const ours = { "x-promptops-revision": "9", "x-promptops-epoch": "epoch-1" };
  const foreign: [string, string, Record<string, string>][] = Object.entries(GATEWAYS).flatMap(([name, body]) => [
    [name, body, {}],
    [`${name}, passed on with our headers`, body, ours],
  ]);
  foreign.push(["with our headers and no code", '{"error":"no such prompt"}', ours]);
  foreign.push(["with our code and no header", '{"error":"no such prompt","code":"not_found"}', {}]);
  foreign.push(["with an empty epoch", '{"error":"no such prompt","code":"not_found"}', { "x-promptops-epoch": "" }]);
  foreign.push(["with a text error alone", '{"error":"Not Found"}', {}]);
  for (const [name, body, headers] of foreign) {
    test(`${name} changes nothing once the server has named its epoch`, async () => {
      const client = made();
      await client.getPrompt("greeting");
      answers(404, body, headers);
      assert.equal((await client.getPrompt("greeting", { refresh: true })).source, "memory");
      await client.close();
      assert.equal((await made().getPrompt("greeting")).source, "disk");
      assert.equal((await readdir(folder)).length, 1);
    });
  }

  test("with our headers and code removes the prompt from memory and disk", async () => {
    const client = made();
    await client.getPrompt("greeting");
    answers(404, '{"error":"no such prompt","code":"not_found"}', ours);
    await assert.rejects(client.getPrompt("greeting", { refresh: true }), NotFoundError);
    await client.close();
    assert.deepEqual(await readdir(folder), []);
  });

  test("of a server without epochs counts, and a gateway's before it does not", async () => {
    const client = made();
    answers(200, '{"key":"greeting","content":"one"}');
    await client.getPrompt("greeting");
    for (const body of Object.values(GATEWAYS).slice(0, 6)) {
      answers(404, body);
      assert.equal((await client.getPrompt("greeting", { refresh: true })).source, "memory", body);
    }
    answers(404, '{"error":"not found"}');
    await assert.rejects(client.getPrompt("greeting", { refresh: true }), NotFoundError);
  });

  test("of a text error alone does not count where a bundle names the epoch", async () => {
    const bundle = path.join(folder, "bundle.json");
    await writeFile(bundle, JSON.stringify({ epoch: "e", env: "prod", prompts: [{ key: "greeting", content: "b" }] }));
    answers(404, '{"error":"Not Found"}');
    assert.equal((await made({ bundle }).getPrompt("greeting")).source, "bundle");
  });

  test("without a copy is an error of the address, and a default is returned", async () => {
    answers(404, GATEWAYS["with a status code"]);
    await assert.rejects(made().getPrompt("greeting"), ProtocolError);
    assert.equal((await made().getPrompt("greeting", { default: "d" })).source, "default");
  });

  for (const [name, body] of Object.entries({
    "another key": '{"key":"other","content":"x"}',
    "no key": '{"content":"x"}',
    "an empty key": '{"key":"","content":"x"}',
    "a key in other letters": '{"key":"Greeting","content":"x"}',
    "a number as its key": '{"key":1,"content":"x"}',
  })) {
    test(`but also a 200 with ${name} changes nothing`, async () => {
      const client = made();
      await client.getPrompt("greeting");
      answers(200, body, ours);
      assert.deepEqual((await client.getPrompt("greeting", { refresh: true })).content, "one");
      await client.close();
      await rm(folder, { recursive: true });
      await assert.rejects(made().getPrompt("greeting"), ProtocolError);
      await made().getPrompt("greeting", { default: "d" });
      folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
    });
  }

  test("but a 200 whose key is composed (NFC) has the same key", async () => {
    answers(200, '{"key":"caf\u00e9","content":"x"}');
    assert.equal((await made().getPrompt("cafe\u0301")).content, "x");
  });

  test("and the error for a redirect names its Location, without a password", async () => {
    answers(302, "", { location: "https://u:secret@login.example/x" });
    await assert.rejects(made().getPrompt("greeting"), /302: the server redirects to 'https:\/\/\*\*\*@login\.example\/x'/);
  });
});
