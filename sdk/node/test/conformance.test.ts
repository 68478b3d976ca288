import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bucketOf, murmur3, rangeOf } from "../src/bucketing.js";
import { MissingVariableError, TemplateValueError } from "../src/errors.js";
import { renderTemplate, variablesIn } from "../src/templates.js";

const CASES = new URL("../../../conformance/", import.meta.url);

function cases(file: string): any {
  const read = JSON.parse(readFileSync(new URL(file, CASES), "utf8"));
  assert.equal(read.format, 1);
  return read;
}

test("templates are rendered as everywhere", async (t) => {
  for (const { name, template, variables, expected, names, repeat = 1 } of cases("templates.json").cases) {
    await t.test(name, () => {
      const began = performance.now();
      assert.equal(renderTemplate(template.repeat(repeat), variables), expected.repeat(repeat));
      if (names) assert.deepEqual(variablesIn(template.repeat(repeat)), names);
      assert.ok(performance.now() - began < 2000);
    });
  }
});

test("subjects get the variants that they get everywhere", async (t) => {
  const { variant_lists: lists, cases: all } = cases("bucketing.json");
  for (const { name, salt, subject, hash, bucket, chosen } of all) {
    await t.test(name, () => {
      assert.equal(murmur3(new TextEncoder().encode(`${salt}:${subject}`)), hash);
      assert.equal(bucketOf(salt, subject), bucket);
      for (const [list, variant] of Object.entries(chosen)) {
        const weights = lists[list].map((each: [string, number]) => each[1]);
        assert.equal(lists[list][rangeOf(weights, bucket)][0], variant);
      }
    });
  }
});

test("a subject without UTF-8 is refused", () => {
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

test("strict names the variable that is missing", () => {
  assert.throws(
    () => renderTemplate("{{a}} {{b}}", { a: 1, b: null }, { strict: true }),
    (error) => error instanceof MissingVariableError && error.variable === "b",
  );
});
