import { ProtocolError } from "./errors.js";

// Deeper nesting than in any configuration is rejected; the other clients have the same limit.
const DEEPEST = 100;
// Much more than a prompt with all its variants has. JSON.parse takes seconds for millions of values and
// blocks the program.
const MOST_VALUES = 1_000_000;

// Members of objects take several times as long as items of arrays.
const MEMBER = 3;

const [QUOTE, BACKSLASH, COMMA, COLON] = ['"', "\\", ",", ":"].map((member) => member.charCodeAt(0));
const OPENING = ["[", "{"].map((member) => member.charCodeAt(0));
const CLOSING = ["]", "}"].map((member) => member.charCodeAt(0));

/** Parses a response; ProtocolError if it is not JSON, or larger than a prompt can be. */
export function parseResponse(text: string): unknown {
  checkSize(text);
  return parseJson(text);
}

/** Parses JSON; ProtocolError if it is invalid. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProtocolError("the data is not JSON", { cause: error });
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Freezes the value deeply; ProtocolError if it is nested too deep. */
export function frozen<T extends object>(value: T): Readonly<T> {
  // Level by level, because deep nesting must not overflow the stack.
  let level: object[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= DEEPEST) throw tooDeep();
    const deeper: object[] = [];
    for (const container of level) {
      for (const member of Object.values(Object.freeze(container))) {
        if (typeof member === "object" && member !== null) deeper.push(member);
      }
    }
    level = deeper;
  }
  return value;
}

/** Counts the values that JSON.parse would create, in a fraction of its time. */
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
    if (values > MOST_VALUES) throw new ProtocolError("the data has more values than a prompt can have");
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
  return new ProtocolError(`the data is nested more than ${DEEPEST} deep`);
}
