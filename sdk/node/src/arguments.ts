// What callers give: TypeErrors for what can't be right, before anything is done with it.

/** Whether it has UTF-8: text with half of a surrogate pair has none. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && !/\p{Surrogate}/u.test(value);
}

/** Whether a prompt can be asked for by it: `.` and `..` don't survive in an address. */
export function isKey(value: unknown): value is string {
  return isText(value) && !["", ".", ".."].includes(value);
}

export function checkKey(key: unknown): void {
  if (!isKey(key)) throw new TypeError("a prompt's key must be text, and neither empty nor '.' or '..'");
}

/** The empty text is no subject, as on the server. */
export function checkedSubject(subject: unknown): string | undefined {
  if (subject === undefined || subject === null || subject === "") return undefined;
  if (typeof subject !== "string") {
    throw new TypeError(`a subject must be text, not ${typeName(subject)}; pass String(...) of it`);
  }
  if (!isText(subject)) throw new TypeError("a subject with a lone surrogate is no text: it has no UTF-8");
  return subject;
}

/** The text of the call to fall back on; null where there is none. */
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

/** A file or folder; null where none is given. */
export function checkedPath(name: string, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value !== "string" || value === "") throw wrongOption(name, "the path of a file or folder", value);
  return value;
}

function wrongOption(name: string, expected: string, value: unknown): TypeError {
  const got = value === "" ? "empty" : typeName(value);
  return new TypeError(`${name} must be ${expected}, not ${got}; leave it out if you have none`);
}

/** What a value is, for a message that must not show the value. */
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
