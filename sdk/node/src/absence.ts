import { isObject } from "./json.js";
import { parsedOrNull } from "./parsing.js";

const CODE = "not_found";
// In characters. PromptOps' own 404 is far shorter.
const LONGEST_BODY = 64 * 1024;

/**
 * Whether a 404 is PromptOps' own statement that a prompt does not exist. It counts with the header of
 * the epoch and the code `not_found`. Older servers send neither: where no epoch was ever seen, a body
 * with a text `error` and nothing else counts.
 */
export function saysAbsent(body: string, epoch: string | null, serverHasEpochs: boolean): boolean {
  const answer = body.length > LONGEST_BODY ? null : parsedOrNull(body);
  if (!isObject(answer) || typeof answer["error"] !== "string") return false;
  if (epoch) return answer["code"] === CODE;
  const { error: _, code = CODE, ...others } = answer;
  return !serverHasEpochs && code === CODE && Object.keys(others).length === 0;
}
