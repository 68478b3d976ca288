import { ProtocolError } from "./errors.js";

// What is deeper than any configuration is garbage; the other clients read as deep.
const DEEPEST = 100;
// Far more than a prompt with all its variants has. Millions take JSON.parse seconds, in which
// the program stands still.
const MOST_VALUES = 1_000_000;

// Members of objects take several times as long as items of lists.
const MEMBER = 3;

const [QUOTE, BACKSLASH, COMMA, COLON] = ['"', "\\", ",", ":"].map((each) => each.charCodeAt(0));
const OPENING = ["[", "{"].map((each) => each.charCodeAt(0));
const CLOSING = ["]", "}"].map((each) => each.charCodeAt(0));

/** Of a server's answer; ProtocolError for what is no JSON, or more of it than a prompt can be. */
export function parseAnswer(text: string): unknown {
  checkSize(text);
  return parseJson(text);
}

/** ProtocolError for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProtocolError("what came is not JSON", { cause: error });
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** With all that it holds; ProtocolError where that is nested without end. */
export function frozen<T extends object>(value: T): Readonly<T> {
  // Level by level, since nesting without end must not end the stack.
  let level: object[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= DEEPEST) throw tooDeep();
    const deeper: object[] = [];
    for (const container of level) {
      for (const each of Object.values(Object.freeze(container))) {
        if (typeof each === "object" && each !== null) deeper.push(each);
      }
    }
    level = deeper;
  }
  return value;
}

/** Counts what JSON.parse would have to make, in a fraction of its time. */
function checkSize(text: string): void {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COMMA) values += 1;
    else if (code === COLON) values += MEMBER;
    else if (code === OPENING[0] || code === OPENING[1]) {
      depth += 1;
      values += 1;
    } else if (code === CLOSING[0] || code === CLOSING[1]) depth -= 1;
    if (depth > DEEPEST) throw tooDeep();
    if (values > MOST_VALUES) throw new ProtocolError("more values came than a prompt can have");
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) {
    at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  }
  return at;
}

function tooDeep(): ProtocolError {
  return new ProtocolError(`what came is nested more than ${DEEPEST} deep`);
}
