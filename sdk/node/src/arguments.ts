// Checks the arguments of callers: invalid ones cause TypeErrors before anything happens.

/** Whether it can be encoded in UTF-8: a text with half of a surrogate pair can't. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && !/\p{Surrogate}/u.test(value);
}

/** Whether it is a valid key: `.` and `..` do not survive in a URL. */
export function isKey(value: unknown): value is string {
  return isText(value) && !["", ".", ".."].includes(value);
}

export function checkKey(key: unknown): void {
  if (!isKey(key)) throw new TypeError("a prompt's key must be text, and neither empty nor '.' or '..'");
}

/** An empty text counts as no subject, as on the server. */
export function checkedSubject(subject: unknown): string | undefined {
  if (subject === undefined || subject === null || subject === "") return undefined;
  if (typeof subject !== "string") {
    throw new TypeError(`a subject must be text, not ${typeName(subject)}; pass String(...) of it`);
  }
  if (!isText(subject)) throw new TypeError("a subject must not have a lone surrogate, which has no UTF-8");
  return subject;
}

/** The default of the call; null without one. */
export function checkedDefault(text: unknown): string | null {
  if (text === undefined || text === null) return null;
  if (typeof text !== "string") throw new TypeError(`a default must be text, not ${typeName(text)}`);
  return text;
}

export function checkedText(name: string, value: unknown): string {
  if (typeof value !== "string") throw wrongOption(name, "text", value);
  if (!isText(value)) throw new TypeError(`${name} must be text without lone surrogates`);
  return value;
}

/** The path of a file or folder; null without one. */
export function checkedPath(name: string, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value !== "string" || value === "") throw wrongOption(name, "the path of a file or folder", value);
  return value;
}

function wrongOption(name: string, expected: string, value: unknown): TypeError {
  const actual = value === "" ? "empty" : typeName(value);
  return new TypeError(`${name} must be ${expected}, not ${actual}; leave it out if you have none`);
}

/** The type of a value, for a message that must not show the value. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}

const LONGEST_TIMER = 2 ** 31 - 1;

export function checkedTimeout(milliseconds: number): number {
  if (Number(milliseconds) > LONGEST_TIMER) throw new TypeError(`timeout must be at most ${LONGEST_TIMER} milliseconds`);
  return checkedMilliseconds("timeout", milliseconds, 1);
}

export function checkedMilliseconds(name: string, milliseconds: number, least: number): number {
  if (typeof milliseconds !== "number" || !(milliseconds >= least)) {
    throw new TypeError(`${name} must be milliseconds, ${least} or more, not ${milliseconds}`);
  }
  return milliseconds;
}
