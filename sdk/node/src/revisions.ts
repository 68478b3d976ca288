/** When an answer is of: a place in the server's change feed. */
export interface Stamp {
  /** Null from a server without a feed. */
  readonly revision: number | null;
  readonly epoch: string | null;
}

/** Of an answer that does not say. */
export const UNKNOWN: Stamp = { revision: null, epoch: null };

/** Whether one is older; revisions of two epochs say nothing of each other. */
export function isBefore(stamp: Stamp, other: Stamp): boolean {
  return comparable(stamp, other) && (stamp.revision as number) < (other.revision as number);
}

/** Whether one surely is of the other's revision or a later one. */
export function reaches(stamp: Stamp, other: Stamp): boolean {
  return comparable(stamp, other) && (stamp.revision as number) >= (other.revision as number);
}

/** A revision as it comes in JSON or a header; null for anything else. */
export function revisionIn(value: unknown): number | null {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && (number as number) >= 0 ? (number as number) : null;
}

function comparable(stamp: Stamp, other: Stamp): boolean {
  return stamp.revision !== null && other.revision !== null && stamp.epoch === other.epoch;
}
