import { isKey } from "./arguments.js";
import { type ChangeEvent, changeEvent } from "./events.js";
import { isObject, parseResponse } from "./json.js";
import { revisionIn } from "./feed-position.js";

export const DELETED = "prompt.deleted";
const CHANGES = new Set(["prompt.updated", "prompt.published", DELETED]);

const USUAL_HEARTBEAT = 10;
const LONGEST_HEARTBEAT = 3600;

/** A message of the server on a watch's connection. */
export type Message =
  | { readonly type: "hello"; readonly epoch: string; readonly heartbeatSeconds: number }
  | { readonly type: "heartbeat"; readonly revision: number }
  | { readonly type: "resync"; readonly epoch: string; readonly revision: number }
  | { readonly type: "change"; readonly revision: number; readonly event: ChangeEvent }
  /** From an older server, which sends neither a hello nor revisions. */
  | { readonly type: "unnumbered"; readonly event: ChangeEvent };

/** Parses a message; null for other types and garbage, which are ignored. */
export function parseMessage(text: string): Message | null {
  // A flood of empty messages must not cause an exception each.
  if (text === "") return null;
  let data: unknown;
  try {
    data = parseResponse(text);
  } catch {
    return null;
  }
  if (!isObject(data)) return null;
  const revision = revisionIn(data["revision"]);
  return revision === null ? unnumberedMessage(data) : numberedMessage(data, revision);
}

function unnumberedMessage(data: Record<string, unknown>): Message | null {
  const event = eventIn(data);
  return event && { type: "unnumbered", event };
}

function numberedMessage(data: Record<string, unknown>, revision: number): Message | null {
  const { type, epoch } = data;
  if (type === "heartbeat") return { type, revision };
  if (type === "hello" && typeof epoch === "string") {
    return { type, epoch, heartbeatSeconds: heartbeatIn(data["heartbeat_seconds"]) };
  }
  if (type === "resync" && typeof epoch === "string") return { type, epoch, revision };
  const event = eventIn(data);
  return event && CHANGES.has(event.type) ? { type: "change", revision, event } : null;
}

function eventIn(data: Record<string, unknown>): ChangeEvent | null {
  const { type, key, env, version } = data;
  if (typeof type !== "string" || !isKey(key)) return null;
  const [environment, versionName] = [env, version].map((field) => (typeof field === "string" ? field : ""));
  return changeEvent({ ...data, type, key, env: environment as string, version: versionName as string });
}

function heartbeatIn(value: unknown): number {
  const isRight = typeof value === "number" && value > 0 && value <= LONGEST_HEARTBEAT;
  return isRight ? value : USUAL_HEARTBEAT;
}
