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

export function checkSubject(subject: unknown): void {
  if (!isText(String(subject))) throw new TypeError("a subject with a lone surrogate is no text: it has no UTF-8");
}

export function checkedText(name: string, value: unknown): string {
  if (!isText(value)) throw new TypeError(`${name} must be text, without lone surrogates`);
  return value;
}

const LONGEST_TIMER = 2 ** 31 - 1;

export function checkedTimeout(milliseconds: number): number {
  if (milliseconds > LONGEST_TIMER) throw new TypeError(`timeout must be at most ${LONGEST_TIMER} milliseconds`);
  return checkedMilliseconds("timeout", milliseconds, 1);
}

export function checkedMilliseconds(name: string, milliseconds: number, least: number): number {
  if (!(milliseconds >= least)) {
    throw new TypeError(`${name} must be milliseconds, ${least} or more, not ${milliseconds}`);
  }
  return milliseconds;
}
