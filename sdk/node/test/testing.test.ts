import assert from "node:assert/strict";
import { test } from "node:test";

import { NotFoundError, type Prompts, ServerUnreachableError } from "../src/index.js";
import { FakePromptOpsClient } from "../src/testing.js";

const greet = (prompts: Prompts): Promise<string> => prompts.render("greeting", { who: "Ada" });

test("the fake returns its prompts", async () => {
  const fake = new FakePromptOpsClient({
    greeting: "Hello {{who}}!",
    chat: { messages: [{ role: "user", content: "{{q}}" }], config: { temperature: 0 }, version: "v7" },
  });
  assert.equal(await greet(fake), "Hello Ada!");
  const chat = await fake.getPrompt("chat");
  assert.deepEqual([chat.kind, chat.version, chat.content, chat.config], ["chat", "v7", "{{q}}", { temperature: 0 }]);
  assert.deepEqual(await fake.renderMessages("chat", { q: "Why?" }), [{ role: "user", content: "Why?" }]);
  await assert.rejects(fake.getPrompt("none"), NotFoundError);
  assert.equal(await fake.render("none", {}, { default: "else" }), "else");
  assert.deepEqual(await fake.preload(), ["greeting", "chat"]);
});

test("the fake notifies of changes while watching, and fails on request", async () => {
  const fake = new FakePromptOpsClient({ greeting: "one" });
  const notifications: string[] = [];
  fake.on("update", ({ prompt }) => notifications.push(prompt.content)).on("delete", ({ key }) => notifications.push(`no ${key}`));
  fake.set("greeting", "two");
  await fake.watch();
  fake.set("greeting", "three").delete("greeting");
  assert.deepEqual(notifications, ["three", "no greeting"]);
  fake.set("greeting", "four").failWith(new ServerUnreachableError("down"));
  await assert.rejects(greet(fake), ServerUnreachableError);
  assert.equal(await greet(fake.failWith(null)), "four");
  await fake.close();
  assert.equal(fake.isWatching, false);
});
