import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bucketOf, murmur3, rangeOf } from "../src/bucketing.js";
import { isMessage, joinedTexts, renderChat } from "../src/chat.js";
import { MissingVariableError, PlaceholderError, TemplateValueError } from "../src/errors.js";
import { renderTemplate, variablesIn } from "../src/templates.js";

const CASES = new URL("../../../conformance/", import.meta.url);

function cases(file: string): any {
  const read = JSON.parse(readFileSync(new URL(file, CASES), "utf8"));
  assert.equal(read.format, 1);
  return read;
}

test("templates render like in all SDKs", async (t) => {
  for (const { name, template, variables, expected, names, repeat = 1 } of cases("templates.json").cases) {
    await t.test(name, () => {
      const began = performance.now();
      assert.equal(renderTemplate(template.repeat(repeat), variables), expected.repeat(repeat));
      if (names) assert.deepEqual(variablesIn(template.repeat(repeat)), names);
      assert.ok(performance.now() - began < 2000);
    });
  }
});

test("messages render like in all SDKs", async (t) => {
  for (const { name, messages, variables, expected, content, missing, refused } of cases("messages.json").cases) {
    await t.test(name, () => {
      const before = JSON.stringify([messages, variables]);
      assert.ok(messages.every(isMessage));
      if (refused) {
        assert.throws(() => renderChat(messages, variables, false), (error: unknown) => {
          assert.ok(error instanceof PlaceholderError);
          assert.deepEqual([error.variable, error.index, error.code], [refused.variable, refused.index, "invalid"]);
          return true;
        });
      } else {
        assert.deepEqual(renderChat(messages, variables, false), expected);
        assert.equal(joinedTexts(messages), content);
        if (missing.length === 0) assert.deepEqual(renderChat(messages, variables, true), expected);
        else assert.throws(() => renderChat(messages, variables, true), { name: "MissingVariableError", variable: missing[0] });
      }
      assert.equal(JSON.stringify([messages, variables]), before);
    });
  }
});

test("a message that no server sends is invalid", () => {
  const messages = [7, null, [], {}, { role: "user" }, { content: "a" }, ...[7, [7], [{ type: [] }]].map((content) => ({ role: "user", content })), { role: "assistant", tool_calls: [] }];
  for (const message of [...messages, { type: "placeholder" }, { type: "placeholder", name: 7 }]) assert.ok(!isMessage(message));
});

test("inherited members of objects fill no placeholder", () => {
  assert.deepEqual(renderChat([{ type: "placeholder", name: "constructor" }], {}, false), []);
  const part = { type: "constructor", text: "{{a}}" };
  assert.deepEqual(renderChat([{ role: "user", content: [part] }], { a: "x" }, false), [{ role: "user", content: [{ ...part, text: "x" }] }]);
});

test("subjects get the same variants as in all SDKs", async (t) => {
  const { variant_lists: lists, cases: all } = cases("bucketing.json");
  for (const { name, salt, subject, hash, bucket, chosen } of all) {
    await t.test(name, () => {
      assert.equal(murmur3(new TextEncoder().encode(`${salt}:${subject}`)), hash);
      assert.equal(bucketOf(salt, subject), bucket);
      for (const [list, variant] of Object.entries(chosen)) {
        const weights = lists[list].map((entry: [string, number]) => entry[1]);
        assert.equal(lists[list][rangeOf(weights, bucket)][0], variant);
      }
    });
  }
});

test("a subject without UTF-8 is rejected", () => {
  assert.throws(() => bucketOf("salt", "\ud800"), TypeError);
});

test("values that only JavaScript has", () => {
  const rendered = renderTemplate("{{a}} {{b}} {{c}} {{d}}", {
    a: undefined,
    b: 2n ** 64n,
    c: new Date(0),
    d: new (class { x = 1; })(),
  });
  assert.equal(rendered, '{{a}} 18446744073709552000 "1970-01-01T00:00:00.000Z" {"x":1}');
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  for (const value of [circle, () => 1, Symbol("s"), { deep: 1n }]) {
    assert.throws(() => renderTemplate("{{a}}", { a: value }), TemplateValueError);
  }
  assert.equal(renderTemplate("{{a}}"), "{{a}}");
});

test("strict names the missing variable", () => {
  assert.throws(
    () => renderTemplate("{{a}} {{b}}", { a: 1, b: null }, { strict: true }),
    (error) => error instanceof MissingVariableError && error.variable === "b",
  );
});
