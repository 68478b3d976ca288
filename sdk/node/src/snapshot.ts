import { isKey } from "./arguments.js";
import { ProtocolError } from "./errors.js";
import { isObject } from "./json.js";
import { parsePrompt, type Whole } from "./prompts.js";
import { type Warnings, wordsOf } from "./warnings.js";

/** All prompts of an environment, as the server sends them or a bundle file has them. */
export interface Snapshot {
  /** Null where none was sent. */
  readonly epoch: string | null;
  readonly prompts: readonly Whole[];
}

/**
 * The prompts without those that are invalid, of which a warning is given. ProtocolError for what is not
 * a snapshot of this environment. `name` says in messages what it is.
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

/** The prompt, or none where it is invalid: the others are as good as ever. */
function validPrompts(prompt: unknown, name: string, warnings: Warnings): Whole[] {
  try {
    const whole = parsePrompt(prompt, JSON.stringify(prompt));
    if (!isKey(whole.served.key)) throw new ProtocolError("a prompt came without a key");
    return [whole];
  } catch (error) {
    warnings.warn(`prompts of ${name}`, `a prompt of ${name} is skipped: ${wordsOf(error)}`);
    return [];
  }
}
