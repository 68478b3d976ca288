import { isObject } from "./json.js";
import { parsedOrNull } from "./parsing.js";

const CODE = "not_found";
// In characters. PromptOps' own 404 is much shorter.
const LONGEST_BODY = 64 * 1024;

/**
 * Whether PromptOps itself states with a 404 that a prompt does not exist. It requires the header with the
 * epoch and the code `not_found`. Older servers send neither: without any known epoch, a body that has only a
 * text `error` is accepted.
 */
export function statesAbsence(body: string, epoch: string | null, serverHasEpochs: boolean): boolean {
  const parsed = body.length > LONGEST_BODY ? null : parsedOrNull(body);
  if (!isObject(parsed) || typeof parsed["error"] !== "string") return false;
  if (epoch) return parsed["code"] === CODE;
  const { error: _, code = CODE, ...others } = parsed;
  return !serverHasEpochs && code === CODE && Object.keys(others).length === 0;
}
