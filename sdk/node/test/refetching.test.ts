// A watch whose refetches fail, and answers that come in the wrong order.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { type ClientOptions, PromptOpsClient } from "../src/index.js";
import { eventually, FakeServer, warningsOf } from "./server.js";

describe("a watch", () => {
  let server: FakeServer;
  let client: PromptOpsClient;
  let told: string[];
  let warnings: ReturnType<typeof warningsOf>;
  const keys = ["a", "b", "c", "d"];

  const watching = async (options: Partial<ClientOptions> = {}): Promise<void> => {
    client = new PromptOpsClient({ server: server.url, token: "t", timeout: 2000, ...options });
    told = [];
    client.on("update", ({ key, prompt }) => told.push(`${key} ${prompt.content}`));
    client.on("delete", ({ key }) => told.push(`no ${key}`));
    client.on("connect", () => told.push("connect"));
    client.on("error", (error) => told.push(error.code));
    for (const key of keys) await client.getPrompt(key);
    await client.watch();
    await eventually(() => server.messages.some(({ type }) => type === "applied"));
    told = [];
  };
  const refused = async (): Promise<void> => {
    server.onFetch = (_, response) => response.writeHead(403).end('{"error":"forbidden"}');
    const before = server.fetches.length;
    for (const key of ["a", "b", "c"]) server.publish(key, "two");
    await eventually(() => server.fetches.length === before + 3);
    // The answers of all three have come when one that was asked for later has.
    await assert.doesNotReject(client.getPrompt("d", { refresh: true }));
  };

  beforeEach(async () => {
    server = await new FakeServer().start();
    for (const key of keys) server.put(key, "one");
    warnings = warningsOf();
  });
  afterEach(async () => {
    warnings.stop();
    await client.close();
    await server.stop();
  });

  test("tells of a refusal once a round, not once a key", async () => {
    await watching();
    await refused();
    // The second one is of the call for d, which has nothing to do with events.
    assert.deepEqual(told, ["forbidden", "forbidden"]);
  });

  test("tries a refused key at once when there is news of it", async () => {
    await watching();
    await refused();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/a?")) server.answer(request, response);
      else response.writeHead(403).end();
    };
    server.publish("a", "three");
    await eventually(() => told.includes("a three"), 5);
  });

  test("tries all refused keys at once after a resync", async () => {
    await watching();
    await refused();
    server.onFetch = null;
    server.revision += 1;
    server.tell({ type: "resync", epoch: server.epoch, revision: server.revision });
    await eventually(() => server.messages.some(({ revision }) => revision === server.revision), 5);
    for (const key of ["a", "b", "c"]) assert.equal((await client.getPrompt(key)).content, "two");
  });

  test("tries all refused keys at once when another one's refetch succeeds", async () => {
    await watching();
    await refused();
    server.onFetch = null;
    server.publish("d", "three");
    await eventually(() => ["a two", "b two", "c two", "d three"].every((each) => told.includes(each)), 5);
  });

  test("is not driven by others' successes to try one again and again that always fails", async () => {
    await watching();
    await refused();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/d?")) server.answer(request, response);
      else response.writeHead(403).end();
    };
    const before = server.fetchesOf("a").length;
    for (let times = 0; times < 10; times += 1) {
      server.publish("d", `text ${times}`);
      await eventually(() => told.includes(`d text ${times}`));
    }
    assert.ok(server.fetchesOf("a").length <= before + 1);
  });

  test("goes on with one key while another one fails", async () => {
    await watching();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/a?")) response.writeHead(503).end();
      else server.answer(request, response);
    };
    server.publish("a", "two");
    for (let times = 0; times < 5; times += 1) {
      server.publish("b", `text ${times}`);
      await eventually(() => told.includes(`b text ${times}`), 5);
    }
    assert.ok(!told.includes("a two"));
    server.onFetch = null;
    await eventually(() => told.includes("a two"));
  });

  test("warns once while it fails, with the reason, and again only after it was well", async () => {
    await watching();
    server.onFetch = (_, response) => response.writeHead(503).end('{"error":"tired"}');
    server.publish("a", "two");
    await eventually(() => server.fetchesOf("a").length > 5);
    assert.deepEqual(warnings.messages, ["prompt 'a' was not refreshed, trying until it is: 503: tired"]);
    server.onFetch = null;
    await eventually(() => told.includes("a two"));
    server.refuseWatch = 500;
    server.watcher.terminate();
    await eventually(() => server.refusals > 2);
    assert.equal(warnings.messages.length, 3);
    assert.equal(warnings.messages[1], "hot reload works again");
    assert.match(warnings.messages[2]!, /^hot reload does not work.*the server answered 500$/);
  });

  test("says nothing of a connection that was lost and comes back", async () => {
    await watching();
    server.watcher.terminate();
    await eventually(() => told.includes("connect"));
    assert.deepEqual(warnings.messages, []);
  });

  test("tells no update of what was deleted after it", async () => {
    await watching();
    server.onWatch = (socket, url) => {
      const { _socket: wire } = socket as unknown as { _socket: { cork(): void; uncork(): void } };
      wire.cork();
      server.greet(url);
      server.tell({ type: "prompt.published", id: "i", key: "a", env: "prod", version: "v2", revision: 2 });
      server.tell({ type: "prompt.deleted", id: "i", key: "a", env: "prod", version: "", revision: 3 });
      wire.uncork();
    };
    server.watcher.terminate();
    server.revision = 2;
    server.put("a", "two");
    await client.getPrompt("a", { refresh: true });
    server.revision = 3;
    server.prompts.delete("a");
    await eventually(() => server.messages.some(({ revision }) => revision === 3));
    await client.getPrompt("b", { refresh: true });
    assert.deepEqual(told.filter((each) => each !== "connect"), ["a two", "no a"]);
  });

  test("does not bring back what was deleted while an answer was under way", async () => {
    await watching();
    const held: (() => void)[] = [];
    server.onFetch = (_, response) => {
      server.onFetch = null;
      const body = JSON.stringify(server.prompts.get("a"));
      const headers = { "x-promptops-revision": "2", "x-promptops-epoch": server.epoch };
      held.push(() => response.writeHead(200, headers).end(body));
    };
    server.publish("a", "two");
    await eventually(() => held.length === 1);
    server.delete("a");
    await eventually(() => told.includes("no a"));
    held[0]!();
    for (const until = server.fetchesOf("a").length + 1; server.fetchesOf("a").length < until; ) {
      assert.equal((await client.getPrompt("a", { default: "d" })).source, "default");
    }
    await eventually(() => server.messages.some(({ revision }) => revision === 3));
    assert.deepEqual(told, ["no a"]);
  });

  test("keys that can't be asked for are passed over", async () => {
    await watching();
    const before = server.fetches.length;
    for (const key of ["..", ".", "\ud800"]) server.publish(key, "odd");
    server.publish("a", "two");
    await eventually(() => told.includes("a two"));
    assert.equal(server.fetches.length, before + 1);
  });

  for (const [name, greets] of [["greets late", true], ["is one of before", false]] as const) {
    test(`stands although the time-out is short and the server ${name}`, async () => {
      keys.length = 0;
      server.onWatch = (_, url) => void (greets && setTimeout(() => server.greet(url), 600));
      client = new PromptOpsClient({ server: server.url, token: "t", timeout: 300 });
      let stands = false;
      client.on("connect", () => (stands = true));
      await client.watch();
      await eventually(() => stands);
      assert.equal(server.connections.length, 1);
    });
  }

  test("a listener for good and for once is called both ways, and stays", async () => {
    await watching();
    let calls = 0;
    const listener = (): void => void (calls += 1);
    client.on("update", listener).once("update", listener).once("update", listener);
    server.publish("a", "two");
    await eventually(() => told.includes("a two"));
    assert.equal(calls, 2);
    server.publish("a", "three");
    await eventually(() => told.includes("a three"));
    assert.equal(calls, 3);
    client.off("update", listener);
    server.publish("a", "four");
    await eventually(() => told.includes("a four"));
    assert.equal(calls, 3);
  });
});
