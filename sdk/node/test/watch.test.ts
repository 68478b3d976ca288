import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { type ClientOptions, PromptOpsClient } from "../src/index.js";
import { eventually, FakeServer } from "./server.js";

describe("a watch", () => {
  let server: FakeServer;
  let client: PromptOpsClient;
  let notifications: string[];

  const watching = async (options: Partial<ClientOptions> = {}, listen = true): Promise<void> => {
    client = new PromptOpsClient({ server: server.url, token: "t", appName: "shop", timeout: 2000, ...options });
    notifications = [];
    if (listen) client.on("update", ({ key, prompt, event }) => notifications.push(`${event.type} ${key} ${prompt.content}`));
    client.on("delete", ({ key, event }) => notifications.push(`${event.type} ${key}`));
    client.on("connect", () => notifications.push("connect"));
    client.on("disconnect", () => notifications.push("disconnect"));
    await client.getPrompt("greeting");
    await client.watch();
    await eventually(() => server.messages.some(({ type }) => type === "applied"));
  };
  const applied = (): number => Math.max(...server.messages.map(({ revision }) => revision ?? 0));

  beforeEach(async () => {
    server = await new FakeServer().start();
    server.put("greeting", "one");
  });
  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  test("identifies itself, without the token in the address", async () => {
    await watching({ workspace: "team" });
    const { url, headers } = server.connections[0]!;
    const { version, ...query } = Object.fromEntries(url.searchParams);
    assert.deepEqual(query, { namespace: "prod", since: "0", client: "node", app: "shop", workspace: "team" });
    assert.match(version!, /^\d+\.\d+\.\d+$/);
    assert.equal(headers.authorization, "Bearer t");
    assert.equal(headers["sec-websocket-extensions"], undefined);
  });

  test("finds a server at any address of localhost", async () => {
    await watching({ server: server.url.replace("127.0.0.1", "localhost") });
    assert.equal((await client.getPrompt("greeting")).content, "one");
  });

  test("notifies of changes, also of prompts that were not cached, and of deletions", async () => {
    await watching();
    server.publish("greeting", "two");
    server.publish("other", "new");
    await eventually(() => applied() === 3);
    server.delete("greeting");
    await eventually(() => applied() === 4);
    assert.deepEqual(notifications.slice(0, 1), ["connect"]);
    assert.deepEqual(notifications.slice(1).sort(), [
      "prompt.deleted greeting",
      "prompt.published greeting two",
      "prompt.published other new",
    ]);
    assert.equal((await client.getPrompt("other")).source, "memory");
  });

  test("without a listener for updates, prompts that are not cached are ignored", async () => {
    await watching({}, false);
    server.publish("other", "new");
    server.publish("greeting", "two");
    await eventually(() => applied() === 3);
    assert.equal(server.fetchesOf("other").length, 0);
    assert.equal((await client.getPrompt("greeting")).content, "two");
  });

  test("a copy from a replica that is behind is refetched at the received position", async () => {
    await watching({}, false);
    server.revision = 9;
    server.tell({ type: "heartbeat", revision: 9 });
    await eventually(() => applied() === 9);
    server.put("other", "old");
    server.onFetch = (request, response) => {
      server.onFetch = null;
      server.answer(request, response, 5);
      server.put("other", "new");
    };
    assert.equal((await client.getPrompt("other")).content, "old");
    await eventually(() => server.fetchesOf("other").length === 2);
    const { searchParams } = server.fetchesOf("other")[1]!;
    assert.deepEqual([searchParams.get("min_revision"), searchParams.get("epoch")], ["9", "epoch-1"]);
    await eventually(() => server.messages.some(({ keys }) => keys?.includes("other") ?? false));
    for (let left = 100; (await client.getPrompt("other")).content !== "new"; left -= 1) assert.ok(left > 0);
  });

  test("an event during the first fetch of a key is not lost", async () => {
    await watching({}, false);
    server.put("other", "old");
    const responses: (() => void)[] = [];
    server.onFetch = (request, response) => {
      server.onFetch = null;
      const revision = server.revision;
      const old = server.prompts.get("other")!;
      responses.push(() => {
        const now = server.prompts.get("other")!;
        server.prompts.set("other", old);
        server.answer(request, response, revision);
        server.prompts.set("other", now);
      });
    };
    const first = client.getPrompt("other");
    await eventually(() => responses.length === 1);
    server.publish("other", "new");
    server.tell({ type: "heartbeat", revision: server.revision });
    responses[0]!();
    await first;
    await eventually(() => applied() === 2);
    assert.equal((await client.getPrompt("other")).content, "new");
  });

  test("too many keys, or too long ones, are reported as all", async () => {
    await watching({}, false);
    for (let number = 0; number < 20; number += 1) server.put(`${number}${"x".repeat(4000)}`, "long");
    await Promise.all([...server.prompts.keys()].map((key) => client.getPrompt(key)));
    await eventually(() => server.messages.some(({ keys }) => keys?.[0] === "*"));
    const holdings = server.messages.filter(({ type }) => type === "holding");
    assert.ok(holdings.every((report) => JSON.stringify(report).length <= 64 * 1024));
  });

  test("silence ends the connection, and the next one resumes", async () => {
    server.heartbeatSeconds = 0.1;
    await watching();
    await eventually(() => server.connections.length > 1);
    assert.equal(server.connections[1]!.url.searchParams.get("since"), "1");
    assert.equal(server.connections[1]!.url.searchParams.get("epoch"), "epoch-1");
    assert.deepEqual(notifications.slice(0, 2), ["connect", "disconnect"]);
  });

  test("a change during a lost connection notifies once, with its event", async () => {
    await watching();
    server.onWatch = (_, url) => {
      server.greet(url);
      server.tell({ type: "prompt.published", id: "i", key: "greeting", env: "prod", version: "v2", revision: 2 });
    };
    server.revision = 2;
    server.put("greeting", "two");
    server.watcher.terminate();
    await eventually(() => applied() === 2);
    server.watcher.terminate();
    await eventually(() => server.connections.length === 3 && notifications.at(-1) === "connect");
    assert.deepEqual(notifications.filter((notification) => notification.startsWith("prompt")), ["prompt.published greeting two"]);
  });

  test("after a resync only changed prompts notify", async () => {
    server.put("other", "same");
    await watching();
    await client.getPrompt("other");
    server.epoch = "epoch-2";
    server.put("greeting", "two");
    server.watcher.terminate();
    await eventually(() => server.messages.filter(({ type }) => type === "applied").length >= 2);
    assert.deepEqual(notifications.filter((notification) => notification.startsWith("prompt")), ["prompt.refreshed greeting two"]);
  });

  test("a burst causes few fetches, and ends with the newest", async () => {
    await watching();
    for (let number = 0; number < 500; number += 1) server.publish("greeting", `text ${number}`);
    await eventually(() => applied() === 501);
    assert.equal((await client.getPrompt("greeting")).content, "text 499");
    assert.ok(server.fetchesOf("greeting").length < 100);
  });

  test("close leaves no socket, and no event follows", async () => {
    await watching();
    await client.close();
    const { length } = notifications;
    await eventually(() => server.openSockets === 0);
    assert.equal(notifications.length, length);
  });
});
