import { isKey } from "./arguments.js";
import { ProtocolError } from "./errors.js";
import { isObject } from "./json.js";
import { parsePrompt, type FullPrompt } from "./prompts.js";
import { type Warnings, messageOf } from "./warnings.js";

/** All prompts of an environment, from the server or a bundle file. */
export interface Snapshot {
  /** Null if there is none. */
  readonly epoch: string | null;
  readonly prompts: readonly FullPrompt[];
}

/**
 * Parses a snapshot; invalid prompts cause a warning and are skipped. ProtocolError if it is not a snapshot
 * of this environment. `name` is its name in messages.
 */
export function parseSnapshot(data: unknown, environment: string, name: string, warnings: Warnings): Snapshot {
  const prompts = isObject(data) ? data["prompts"] : null;
  if (!isObject(data) || !Array.isArray(prompts)) {
    throw new ProtocolError(`${name} is not a snapshot: it has no list 'prompts'`);
  }
  if (typeof data["env"] === "string" && data["env"] !== environment) {
    throw new ProtocolError(`${name} is of the environment '${data["env"]}', not '${environment}'`);
  }
  const epoch = typeof data["epoch"] === "string" && data["epoch"] !== "" ? data["epoch"] : null;
  return { epoch, prompts: prompts.flatMap((prompt) => validPrompts(prompt, name, warnings)) };
}

/** The prompt, or nothing if it is invalid, which does not affect the others. */
function validPrompts(prompt: unknown, name: string, warnings: Warnings): FullPrompt[] {
  try {
    const fullPrompt = parsePrompt(prompt, JSON.stringify(prompt));
    if (!isKey(fullPrompt.served.key)) throw new ProtocolError("a prompt has no key");
    return [fullPrompt];
  } catch (error) {
    warnings.warn(`prompts of ${name}`, `a prompt of ${name} is skipped: ${messageOf(error)}`);
    return [];
  }
}
