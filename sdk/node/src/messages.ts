import { isKey } from "./arguments.js";
import { type ChangeEvent, changeEvent } from "./events.js";
import { isObject, parseAnswer } from "./json.js";
import { revisionIn } from "./revisions.js";

export const DELETED = "prompt.deleted";
const CHANGES = new Set(["prompt.updated", "prompt.published", DELETED]);

const USUAL_HEARTBEAT = 10;
const LONGEST_HEARTBEAT = 3600;

/** What the server says over a watch's connection. */
export type Message =
  | { readonly type: "hello"; readonly epoch: string; readonly heartbeatSeconds: number }
  | { readonly type: "heartbeat"; readonly revision: number }
  | { readonly type: "resync"; readonly epoch: string; readonly revision: number }
  | { readonly type: "change"; readonly revision: number; readonly event: ChangeEvent }
  /** From a server of before, which neither greets nor numbers. */
  | { readonly type: "unnumbered"; readonly event: ChangeEvent };

/** Null for what is to be passed over: another type, or garbage. */
export function messageIn(text: string): Message | null {
  // A flood of empty messages should not cost an exception each.
  if (text === "") return null;
  let data: unknown;
  try {
    data = parseAnswer(text);
  } catch {
    return null;
  }
  if (!isObject(data)) return null;
  const revision = revisionIn(data["revision"]);
  return revision === null ? unnumbered(data) : messageOf(data, revision);
}

function unnumbered(data: Record<string, unknown>): Message | null {
  const event = eventIn(data);
  return event && { type: "unnumbered", event };
}

function messageOf(data: Record<string, unknown>, revision: number): Message | null {
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
  const [place, label] = [env, version].map((each) => (typeof each === "string" ? each : ""));
  return changeEvent({ ...data, type, key, env: place as string, version: label as string });
}

function heartbeatIn(value: unknown): number {
  const isRight = typeof value === "number" && value > 0 && value <= LONGEST_HEARTBEAT;
  return isRight ? value : USUAL_HEARTBEAT;
}
