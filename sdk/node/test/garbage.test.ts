// Input from the network and the disk that no PromptOps server sends.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { DiskCache } from "../src/disk-cache.js";
import { ProtocolError } from "../src/errors.js";
import { PromptOpsClient } from "../src/index.js";
import { parseMessage } from "../src/messages.js";
import { parseResponse } from "../src/json.js";
import { parsePrompt } from "../src/prompts.js";
import { Warnings } from "../src/warnings.js";
import { eventually, FakeServer, seeded } from "./server.js";

const PROMPT = JSON.stringify({
  key: "k", version: "v1", env: "prod", model: "m", content: "Hi {{a}}", kind: "chat",
  messages: [{ role: "user", content: "Hi {{a}}" }], config: { a: [1, { b: null }] }, variables: ["a"],
  rollout: { salt: "s", variants: [
    { name: "A", weight: 4000, version: "v1", content: "x" },
    { name: "B", weight: 6000, version: "v2", content: "y" },
  ] },
});
const SCRAPS = ["{", "}", "[", "]", '"', ":", ",", "null", "1e999", "-1", "true", '"key"', '"\\ud800"', "\u0000", "é"];

/** A text that differs from a valid one in some places. */
function spoiled(text: string, random: () => number): string {
  const scrap = (): string => SCRAPS[Math.floor(random() * SCRAPS.length)]!;
  let result = text;
  for (let times = 1 + Math.floor(random() * 4); times > 0; times -= 1) {
    const at = Math.floor(random() * result.length);
    const length = Math.floor(random() * 12);
    result = result.slice(0, at) + (random() < 0.7 ? scrap() : "") + result.slice(at + length);
  }
  return result;
}

/** A copy with another value somewhere, still JSON. */
function twisted(value: unknown, random: () => number): unknown {
  const others = [null, 0, -1, 1.5, "", "text", true, [], {}, [[]], { content: 1 }, 1e300];
  if (random() < 0.08) return others[Math.floor(random() * others.length)];
  if (Array.isArray(value)) return value.map((member) => twisted(member, random));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, twisted(member, random)]));
}

test("a corrupted prompt is a prompt or a ProtocolError", () => {
  const random = seeded(5);
  let good = 0;
  for (let times = 0; times < 20_000; times += 1) {
    const text = times % 2 ? spoiled(PROMPT, random) : JSON.stringify(twisted(JSON.parse(PROMPT), random));
    try {
      const fullPrompt = parsePrompt(parseResponse(text), text);
      assert.equal(typeof fullPrompt.served.content, "string");
      good += 1;
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `${text}: ${error}`);
    }
  }
  assert.ok(good > 500, String(good));
});

test("16 MB of garbage take less than a second", () => {
  const filled = (item: string): string => `{"content":"x","config":{"a":[${item.repeat(16e6 / item.length)}0]}}`;
  const items = ["{},", "[],", "1,", '"a",', '"\\"",', "[[[{}]]],", '{"a":"b"},', "[", "{"];
  const members = Array.from({ length: 1e6 }, (_, number) => `"k${number}":${number}`).join();
  for (const text of [...items.map(filled), `{"content":"x","config":{${members}}}`]) {
    // The CPU time, which does not depend on the load of the machine.
    const before = process.cpuUsage();
    assert.throws(() => parsePrompt(parseResponse(text), text), ProtocolError);
    assert.ok(process.cpuUsage(before).user < 1e6, text.slice(0, 60));
  }
});

test("a corrupted message is a message or ignored", () => {
  const random = seeded(6);
  const right = [
    { type: "hello", epoch: "e", revision: 1, heartbeat_seconds: 10 },
    { type: "prompt.published", id: "i", key: "k", env: "prod", version: "v1", revision: 3 },
    { type: "resync", epoch: "e", revision: 2 },
    { type: "heartbeat", revision: 5 },
  ];
  for (let times = 0; times < 20_000; times += 1) {
    const message = parseMessage(spoiled(JSON.stringify(right[times % 4]), random));
    if (message && "revision" in message) assert.ok(Number.isSafeInteger(message.revision));
    if (message?.type === "hello") assert.ok(message.heartbeatSeconds > 0);
  }
  for (const text of ["", "[".repeat(1e6), "[".repeat(1e6) + "]".repeat(1e6), "null", '{"type":"heartbeat","revision":1e400}']) {
    assert.equal(parseMessage(text), null);
  }
});

test("a corrupted file is ignored, unless only other members are corrupted", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
  const warnings = new Warnings();
  warnings.warn("disk k", "files of this test are damaged on purpose");
  const disk = new DiskCache(folder, "s", "", "prod", warnings);
  const file = path.join(folder, `${createHash("sha256").update("s\n\nprod\nk").digest("hex")}.json`);
  const random = seeded(7);
  await disk.write("k", parsePrompt(JSON.parse(PROMPT), PROMPT), { revision: 1, epoch: "e" });
  const right = (await disk.read("k"))!;
  assert.equal(right.fullPrompt.text, PROMPT);
  const head = `{"sha256":"${createHash("sha256").update(PROMPT).digest("hex")}","revision":1,"prompt":`;
  for (let times = 0; times < 300; times += 1) {
    await writeFile(file, spoiled(`${head}${PROMPT}}`, random));
    const saved = await disk.read("k");
    assert.ok(saved === null || saved.fullPrompt.text === PROMPT);
  }
  await writeFile(file, Buffer.from([0xff, 0xfe, 0x7b]));
  assert.equal(await disk.read("k"), null);
  await rm(folder, { recursive: true });
});

test("garbage in messages is ignored, and later messages are handled", async () => {
  const server = await new FakeServer().start();
  server.put("k", "one");
  const client = new PromptOpsClient({ server: server.url, token: "t" });
  await client.getPrompt("k");
  await client.watch();
  const random = seeded(8);
  for (let times = 0; times < 300; times += 1) {
    server.watcher.send(spoiled('{"type":"prompt.updated","key":"x","revision":1}', random));
    server.watcher.send(Buffer.from(Array.from({ length: 20 }, () => random() * 256)));
  }
  server.watcher.send("[".repeat(100_000) + "]".repeat(100_000));
  server.publish("k", "two");
  await eventually(() => server.messages.some(({ revision }) => revision === 2));
  assert.equal((await client.getPrompt("k")).content, "two");
  assert.equal(server.connections.length, 1);
  await client.close();
  await server.stop();
});

test("an endless message is cut off, and the next connection resumes", async () => {
  const server = await new FakeServer().start();
  server.put("k", "one");
  const client = new PromptOpsClient({ server: server.url, token: "t" });
  await client.getPrompt("k");
  await client.watch();
  await eventually(() => server.messages.some(({ type }) => type === "applied"));
  server.watcher.send("x".repeat(2 * 1024 * 1024));
  await eventually(() => server.connections.length === 2);
  assert.equal(server.connections[1]!.url.searchParams.get("since"), "1");
  await client.close();
  await server.stop();
});

test("random bytes after the handshake end the connection and nothing else", async () => {
  const random = seeded(9);
  let connections = 0;
  const listener = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (request) => {
      connections += 1;
      const key = /sec-websocket-key: (\S+)/i.exec(String(request))?.[1] ?? "";
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const isRude = connections % 3 === 0;
      if (!isRude) {
        socket.write(`HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      }
      socket.write(Buffer.from(Array.from({ length: 4096 }, () => random() * 256)), () => socket.end());
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const server = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  // Separate clients with their first connections, because the pauses between connections grow.
  const clients = Array.from({ length: 40 }, () => new PromptOpsClient({ server, token: "t", timeout: 1000 }));
  await Promise.all(clients.map((client) => client.watch()));
  await eventually(() => connections > 80);
 await assert.rejects(clients[0]!.getPrompt("k"));
  await Promise.all(clients.map((client) => client.close()));
 await new Promise((resolve) => listener.close(resolve));
});
