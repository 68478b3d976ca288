// A watch with failing refetches, and responses in the wrong order.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { type ClientOptions, PromptOpsClient } from "../src/index.js";
import { eventually, FakeServer, warningsOf } from "./server.js";

describe("a watch", () => {
  let server: FakeServer;
  let client: PromptOpsClient;
  let notifications: string[];
  let warnings: ReturnType<typeof warningsOf>;
  const keys = ["a", "b", "c", "d"];

  const made = (options: Partial<ClientOptions> = {}): PromptOpsClient => {
    return new PromptOpsClient({ server: server.url, token: "t", timeout: 2000, ...options });
  };
  const watching = async (options: Partial<ClientOptions> = {}): Promise<void> => {
    client = made(options);
    notifications = [];
    client.on("update", ({ key, prompt }) => notifications.push(`${key} ${prompt.content}`));
    client.on("delete", ({ key }) => notifications.push(`no ${key}`));
    client.on("connect", () => notifications.push("connect"));
    client.on("error", (error) => notifications.push(error.code));
    for (const key of keys) await client.getPrompt(key);
    await client.watch();
    await eventually(() => server.messages.some(({ type }) => type === "applied"));
    notifications = [];
  };
  const refused = async (): Promise<void> => {
    server.onFetch = (_, response) => response.writeHead(403).end('{"error":"forbidden"}');
    const before = server.fetches.length;
    for (const key of ["a", "b", "c"]) server.publish(key, "two");
    await eventually(() => server.fetches.length === before + 3);
    // All three responses have arrived when a later one has.
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

  test("notifies of a refusal once a round, not once a key", async () => {
    await watching();
    await refused();
    // The second one belongs to the call for d, which is independent of events.
    assert.deepEqual(notifications, ["forbidden", "forbidden"]);
  });

  test("retries a refused key immediately after a new event", async () => {
    await watching();
    await refused();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/a?")) server.answer(request, response);
      else response.writeHead(403).end();
    };
    server.publish("a", "three");
    await eventually(() => notifications.includes("a three"), 5);
  });

  test("retries all refused keys immediately after a resync", async () => {
    await watching();
    await refused();
    server.onFetch = null;
    server.revision += 1;
    server.tell({ type: "resync", epoch: server.epoch, revision: server.revision });
    await eventually(() => server.messages.some(({ revision }) => revision === server.revision), 5);
    for (const key of ["a", "b", "c"]) assert.equal((await client.getPrompt(key)).content, "two");
  });

  test("retries all refused keys immediately when another refetch succeeds", async () => {
    await watching();
    await refused();
    server.onFetch = null;
    server.publish("d", "three");
    await eventually(() => ["a two", "b two", "c two", "d three"].every((expected) => notifications.includes(expected)), 5);
  });

  test("does not retry a failing key at each success of others", async () => {
    await watching();
    await refused();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/d?")) server.answer(request, response);
      else response.writeHead(403).end();
    };
    const before = server.fetchesOf("a").length;
    for (let times = 0; times < 10; times += 1) {
      server.publish("d", `text ${times}`);
      await eventually(() => notifications.includes(`d text ${times}`));
    }
    assert.ok(server.fetchesOf("a").length <= before + 1);
  });

  test("refetches one key while another one fails", async () => {
    await watching();
    server.onFetch = (request, response) => {
      if (request.url!.includes("/a?")) response.writeHead(503).end();
      else server.answer(request, response);
    };
    server.publish("a", "two");
    for (let times = 0; times < 5; times += 1) {
      server.publish("b", `text ${times}`);
      await eventually(() => notifications.includes(`b text ${times}`), 5);
    }
    assert.ok(!notifications.includes("a two"));
    server.onFetch = null;
    await eventually(() => notifications.includes("a two"));
  });

  test("warns once per outage, with the reason", async () => {
    await watching();
    server.onFetch = (_, response) => response.writeHead(503).end('{"error":"tired"}');
    server.publish("a", "two");
    await eventually(() => server.fetchesOf("a").length > 5);
    assert.deepEqual(warnings.messages, ["prompt 'a' was not refreshed, trying until it is: 503: tired"]);
    server.onFetch = null;
    await eventually(() => notifications.includes("a two"));
    server.refuseWatch = 500;
    server.watcher.terminate();
    await eventually(() => server.refusals > 2);
    assert.equal(warnings.messages.length, 3);
    assert.equal(warnings.messages[1], "hot reload works again");
    assert.match(warnings.messages[2]!, /^hot reload does not work.*: 500: the server gave no reason$/);
  });

  for (const [status, refusal, words] of [
    [426, 'content-length: 33\r\n\r\n{"error":"a proxy drops Upgrade"}\n', "426: a proxy drops Upgrade"],
    [302, "location: https://me:s3cret@login.example/x?t=s3cret\r\ncontent-length: 0\r\n\r\n",
      "302: the server redirects to 'https://***@login.example/x'; use that address"],
    [500, "content-length: 70000\r\n\r\n", "500: the server gave no reason"],
  ] as const) {
    test(`warns of a watch that is not accepted in the server's words (${status})`, async () => {
      Object.assign(server, { refuseWatch: status, refusal });
      client = made();
      await client.watch();
      await eventually(() => warnings.messages.length > 0);
      assert.deepEqual(warnings.messages, [`hot reload does not work, trying until it does: ${server.url}: ${words}`]);
    });
  }

  test("notifies of a refused token even if the refusal's body does not arrive", async () => {
    const errors: Error[] = [];
    client = made({ timeout: 300 });
    client.on("error", (error) => errors.push(error));
    Object.assign(server, { refuseWatch: 401, refusal: "content-length: 50\r\n\r\n{" });
    await client.watch();
    await eventually(() => errors.length > 0);
    assert.equal(errors[0]!.message, "401: the server gave no reason");
  });

  test("emits no warning for a connection that comes back", async () => {
    await watching();
    server.watcher.terminate();
    await eventually(() => notifications.includes("connect"));
    assert.deepEqual(warnings.messages, []);
  });

  test("emits no update for a prompt that was deleted afterwards", async () => {
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
    assert.deepEqual(notifications.filter((notification) => notification !== "connect"), ["a two", "no a"]);
  });

  test("does not restore a prompt that was deleted during its fetch", async () => {
    await watching();
    const responses: (() => void)[] = [];
    server.onFetch = (_, response) => {
      server.onFetch = null;
      const body = JSON.stringify(server.prompts.get("a"));
      const headers = { "x-promptops-revision": "2", "x-promptops-epoch": server.epoch };
      responses.push(() => response.writeHead(200, headers).end(body));
    };
    server.publish("a", "two");
    await eventually(() => responses.length === 1);
    server.delete("a");
    await eventually(() => notifications.includes("no a"));
    responses[0]!();
    for (const until = server.fetchesOf("a").length + 1; server.fetchesOf("a").length < until; ) {
      assert.equal((await client.getPrompt("a", { default: "d" })).source, "default");
    }
    await eventually(() => server.messages.some(({ revision }) => revision === 3));
    assert.deepEqual(notifications, ["no a"]);
  });

  test("invalid keys are ignored", async () => {
    await watching();
    const before = server.fetches.length;
    for (const key of ["..", ".", "\ud800"]) server.publish(key, "odd");
    server.publish("a", "two");
    await eventually(() => notifications.includes("a two"));
    assert.equal(server.fetches.length, before + 1);
  });

  for (const [name, greets] of [["greets late", true], ["is an older one", false]] as const) {
    test(`connects although the time-out is short and the server ${name}`, async () => {
      keys.length = 0;
      server.onWatch = (_, url) => void (greets && setTimeout(() => server.greet(url), 600));
      client = new PromptOpsClient({ server: server.url, token: "t", timeout: 300 });
      let connected = false;
      client.on("connect", () => (connected = true));
      await client.watch();
      await eventually(() => connected);
      assert.equal(server.connections.length, 1);
    });
  }

  test("a listener that is added with on and once is called for both, and stays", async () => {
    await watching();
    let calls = 0;
    const listener = (): void => void (calls += 1);
    client.on("update", listener).once("update", listener).once("update", listener);
    server.publish("a", "two");
    await eventually(() => notifications.includes("a two"));
    assert.equal(calls, 2);
    server.publish("a", "three");
    await eventually(() => notifications.includes("a three"));
    assert.equal(calls, 3);
    client.off("update", listener);
    server.publish("a", "four");
    await eventually(() => notifications.includes("a four"));
    assert.equal(calls, 3);
  });
});
