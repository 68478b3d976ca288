import type { ChangeEvent } from "./listeners.js";
import { isObject } from "./prompts.js";
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
  | { readonly type: "change"; readonly revision: number; readonly event: ChangeEvent };

/** Null for what is to be passed over: another type, or garbage. */
export function messageIn(text: string): Message | null {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  const revision = isObject(data) ? revisionIn(data["revision"]) : null;
  return isObject(data) && revision !== null ? messageOf(data, revision) : null;
}

function messageOf(data: Record<string, unknown>, revision: number): Message | null {
  const { type, epoch, key } = data;
  if (type === "heartbeat") return { type, revision };
  if (type === "hello" && typeof epoch === "string") {
    return { type, epoch, heartbeatSeconds: heartbeatIn(data["heartbeat_seconds"]) };
  }
  if (type === "resync" && typeof epoch === "string") return { type, epoch, revision };
  const isChange = typeof type === "string" && CHANGES.has(type) && typeof key === "string" && key !== "";
  if (!isChange) return null;
  const version = typeof data["version"] === "string" ? data["version"] : "";
  const env = typeof data["env"] === "string" ? data["env"] : "";
  return { type: "change", revision, event: { ...data, type, key, env, version } };
}

function heartbeatIn(value: unknown): number {
  const isRight = typeof value === "number" && value > 0 && value <= LONGEST_HEARTBEAT;
  return isRight ? value : USUAL_HEARTBEAT;
}
