// Arguments of callers: subjects, defaults, templates and variables.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import vm from "node:vm";

import { bucketOf } from "../src/bucketing.js";
import { PromptOpsClient, renderTemplate, TemplateValueError, variablesIn } from "../src/index.js";
import { FakePromptOpsClient } from "../src/testing.js";
import { eventually, FakeServer } from "./server.js";

describe("an argument", () => {
  let server: FakeServer;
  let client: PromptOpsClient;
  before(async () => {
    server = await new FakeServer().start();
    // The empty text has the same bucket as 'hashed'.
    const weights = { before: bucketOf("greeting", ""), hashed: 1, after: 10_000 - bucketOf("greeting", "") - 1 };
    const variants = Object.entries(weights).map(([name, weight]) => ({ name, weight, content: name }));
    server.put("greeting", "served", { rollout: { salt: "greeting", variants } });
    client = new PromptOpsClient({ server: server.url, token: "t" });
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  test("that is an empty subject counts as none: it has no bucket", async () => {
    const variants = new Set<string | null>();
    for (let times = 0; times < 5; times += 1) {
      variants.add((await client.getPrompt("greeting", { subject: "", refresh: true })).variant);
    }
    assert.ok(!variants.has("hashed"));
  });

  for (const subject of [5, 0, true, false, ["u"], { id: "u" }, new String("u"), Symbol("u"), 5n]) {
    test(`as a subject that is ${String(subject)} (${typeof subject}) is refused`, async () => {
      const fake = new FakePromptOpsClient({ greeting: "x" });
      for (const prompts of [client, fake]) {
        await assert.rejects(prompts.getPrompt("greeting", { subject: subject as never, default: "d" }), /a subject must be text/);
        await assert.rejects(prompts.render("greeting", {}, { subject: subject as never }), TypeError);
      }
    });
  }

  test("that is a default of another type is rejected", async () => {
    for (const text of [5, {}, false]) {
      await assert.rejects(client.getPrompt("greeting", { default: text as never }), /a default must be text, not/);
    }
  });

  test("that is a null or undefined template renders to an empty text, others are errors", () => {
    const fake = new FakePromptOpsClient();
    for (const render of [renderTemplate, client.renderTemplate, fake.renderTemplate]) {
      assert.equal(render(null), "");
      assert.equal(render(undefined, { a: 1 }, { strict: true }), "");
      assert.throws(() => render(5 as never), /a template must be text, not number/);
    }
    assert.deepEqual(variablesIn(null), []);
  });

  const opaque: Record<string, unknown> = {
    Map: new Map([["a", 1]]),
    "Map of another realm": vm.runInNewContext("new Map([[1, 2]])"),
    Set: new Set([1]),
    WeakMap: new WeakMap(),
    Promise: Promise.resolve("text"),
    thenable: { then: () => undefined, x: 1 },
    RegExp: /a/,
    Error: new Error("words"),
    ArrayBuffer: new ArrayBuffer(2),
    URLSearchParams: new URLSearchParams("a=b"),
    iterator: new Map().entries(),
    "derived Map": Object.assign(new (class Names extends Map {})(), { own: 1 }),
  };
  for (const [name, value] of Object.entries(opaque)) {
    test(`as a ${name} is not a variable, nor part of one`, () => {
      for (const variable of [value, [value], { deep: [{ value }] }]) {
        assert.throws(() => renderTemplate("{{a}}", { a: variable }), TemplateValueError);
      }
      assert.equal(renderTemplate("{{b}}", { a: value }), "{{b}}");
    });
  }

  test("that is variables of another type is rejected", () => {
    for (const variables of [new Map([["a", 1]]), new Set(), Promise.resolve({ a: 1 }), ["a"], "a", 5]) {
      assert.throws(() => renderTemplate("{{a}}", variables as never), /variables must be an object/);
    }
  });

  test("that has a JSON form is printed", () => {
    const values = [new Date(0), Buffer.from("a"), new URL("http://x/"), Object.create(null), {}, [], new (class Empty {})()];
    for (const value of [...values, { toJSON: () => 1 }, new Number(5), Object.assign(new Error("e"), { code: 1 })]) {
      assert.equal(renderTemplate("{{a}}", { a: [value] }), JSON.stringify([value]));
    }
  });
});

test("an event prints as its type, and stays an object of its fields", async () => {
  const server = await new FakeServer().start();
  server.put("greeting", "one");
  const client = new PromptOpsClient({ server: server.url, token: "t" });
  const fake = new FakePromptOpsClient({ greeting: "one" });
  const printed: string[] = [];
  for (const prompts of [client, fake]) {
    prompts.on("update", ({ event }) => printed.push(`${event}`, "" + event, String(event.key)));
    prompts.on("delete", ({ event }) => printed.push(`${event}`));
    await prompts.getPrompt("greeting");
    await prompts.watch();
  }
  fake.set("greeting", "two").delete("greeting");
  await eventually(() => server.messages.some(({ type }) => type === "applied"));
  server.revision += 1;
  server.put("greeting", "two");
  server.tell({ type: "prompt.updated", id: "i", key: "greeting", env: "prod", version: "v2", revision: 2, toString: 1 });
  await eventually(() => printed.length === 7);
  server.delete("greeting");
  await eventually(() => printed.length === 8);
  assert.deepEqual(printed, [
    "prompt.published", "prompt.published", "greeting", "prompt.deleted",
    "prompt.updated", "prompt.updated", "greeting", "prompt.deleted",
  ]);
  await client.close();
  await server.stop();
});
