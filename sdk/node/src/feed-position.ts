/** A position in the server's change feed. */
export interface FeedPosition {
  /** Null from a server without a feed. */
  readonly revision: number | null;
  readonly epoch: string | null;
}

/** The position of a response without one. */
export const UNKNOWN: FeedPosition = { revision: null, epoch: null };

/** Whether it is older; revisions of different epochs can't be compared. */
export function isBefore(position: FeedPosition, other: FeedPosition): boolean {
  return comparable(position, other) && (position.revision as number) < (other.revision as number);
}

/** Whether it certainly is at the other's revision or a later one. */
export function reaches(position: FeedPosition, other: FeedPosition): boolean {
  return comparable(position, other) && (position.revision as number) >= (other.revision as number);
}

/** Parses a revision from JSON or a header; null for anything else. */
export function revisionIn(value: unknown): number | null {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && (number as number) >= 0 ? (number as number) : null;
}

function comparable(position: FeedPosition, other: FeedPosition): boolean {
  return position.revision !== null && other.revision !== null && position.epoch === other.epoch;
}
