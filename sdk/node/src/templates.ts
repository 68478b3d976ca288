import { typeName } from "./arguments.js";
import { MissingVariableError, TemplateValueError } from "./errors.js";

/** Variables by name: any object, including one of an interface, but no array, Map or Set. */
export type Variables = Readonly<Record<string, unknown>> | (object & { readonly [Symbol.iterator]?: never });

const PLACEHOLDER = /\{\{[ \t\r\n]*([\p{L}\p{Nd}_.]+)[ \t\r\n]*\}\}/gu;
// Types that JSON prints as `{}` even though they have content, by their tag, which is the same in another
// realm.
const OPAQUE = new Set(["Map", "Set", "WeakMap", "WeakSet", "WeakRef", "Promise"]);
const PRINTED = new Set(["Object", "Array", "Arguments", "Number", "String", "Boolean"]);

/**
 * Inserts the variables into the placeholders `{{ name }}`, in one pass. A name consists of letters and
 * digits of any script, `_` and `.`, and is looked up as a whole. A placeholder whose variable is missing,
 * null or undefined stays; with `strict` it causes a MissingVariableError. Texts are inserted as they are,
 * booleans and numbers as JavaScript prints them, everything else as compact JSON. A value without a JSON
 * form, such as a Map, a Set or a Promise, causes a TemplateValueError. A template that is null or undefined
 * renders to "".
 *
 * `sdk/conformance/README.md` of the project has the full specification; the server renders the same.
 */
export function renderTemplate(
  template: string | null | undefined,
  variables?: Variables | null,
  options: { strict?: boolean } = {},
): string {
  const values = checkedVariables(variables);
  return checkedTemplate(template).replace(PLACEHOLDER, (placeholder, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value !== undefined && value !== null) return textOf(name, value);
    if (options.strict) throw new MissingVariableError(name);
    return placeholder;
  });
}

/** The names in a template, each once, in order of first appearance. */
export function variablesIn(template: string | null | undefined): string[] {
  const matches = checkedTemplate(template).matchAll(PLACEHOLDER);
  return [...new Set(Array.from(matches, (match) => match[1] as string))];
}

function checkedTemplate(template: unknown): string {
  if (template === null || template === undefined) return "";
  if (typeof template !== "string") throw new TypeError(`a template must be text, not ${typeName(template)}`);
  return template;
}

function checkedVariables(variables: unknown): Readonly<Record<string, unknown>> {
  if (variables === null || variables === undefined) return {};
  if (typeof variables !== "object" || Array.isArray(variables) || opaqueName(variables)) {
    throw new TypeError(
      `variables must be an object with a member for each name, not ${typeName(variables)}; ` +
        "Object.fromEntries makes one of a Map, await one of a Promise",
    );
  }
  return variables as Readonly<Record<string, unknown>>;
}

function textOf(name: string, value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
    case "number":
      return String(value);
    case "bigint":
      return String(Number(value));
    default:
      return jsonOf(name, value);
  }
}

function jsonOf(name: string, value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, withoutOpaque);
  } catch (error) {
    throw new TemplateValueError(name, error instanceof Error ? error.message : String(error));
  }
  if (text === undefined) throw new TemplateValueError(name, "it has no JSON form");
  return text;
}

function withoutOpaque(_name: string, value: unknown): unknown {
  const opaque = typeof value === "object" && value !== null ? opaqueName(value) : null;
  if (opaque) throw new TypeError(`a ${opaque} would print as {}`);
  return value;
}

/** The type of an object whose JSON would not show its content; null for others. */
function opaqueName(value: object): string | null {
  if (typeof (value as { then?: unknown }).then === "function") return "Promise";
  const tag = typeName(value);
  if (OPAQUE.has(tag)) return tag;
  return PRINTED.has(tag) || Object.keys(value).length > 0 ? null : tag;
}
