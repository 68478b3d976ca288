import { MissingVariableError, TemplateValueError } from "./errors.js";

/** What goes into a template, by name: any object, an interface's too, but no list, Map or Set. */
export type Variables = Readonly<Record<string, unknown>> | (object & { readonly [Symbol.iterator]?: never });

const PLACEHOLDER = /\{\{[ \t\r\n]*([\p{L}\p{Nd}_.]+)[ \t\r\n]*\}\}/gu;

/**
 * Puts the variables into the placeholders `{{ name }}`, in one pass. A name is letters and digits of
 * any script, `_` and `.`, and is looked up as a whole. A placeholder whose variable is missing, null
 * or undefined stays as it was; with `strict` it is a MissingVariableError. Text goes in as it is,
 * booleans and numbers as JavaScript prints them, everything else as compact JSON.
 *
 * `sdk/conformance/README.md` of the project has the full text, and the server renders the same.
 */
export function renderTemplate(
  template: string,
  variables?: Variables | null,
  options: { strict?: boolean } = {},
): string {
  const given = (variables ?? {}) as Readonly<Record<string, unknown>>;
  return template.replace(PLACEHOLDER, (placeholder, name: string) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined && value !== null) return textOf(name, value);
    if (options.strict) throw new MissingVariableError(name);
    return placeholder;
  });
}

/** The names in a template, each once, in order of first appearance. */
export function variablesIn(template: string): string[] {
  return [...new Set(Array.from(template.matchAll(PLACEHOLDER), (found) => found[1] as string))];
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
    text = JSON.stringify(value);
  } catch (error) {
    throw new TemplateValueError(name, error instanceof Error ? error.message : String(error));
  }
  if (text === undefined) throw new TemplateValueError(name, "it has no JSON form");
  return text;
}
