import { parsedOrNull } from "./parsing.js";
import { maskedUrl } from "./masking.js";

/**
 * Everything that the client throws on purpose.
 *
 * PromptOpsError
 * ├── ServerUnreachableError      no answer: refused, reset, name not found, TLS failed
 * │   └── RequestTimeoutError     no full answer within the time-out
 * ├── ProtocolError               an answer that is not what PromptOps sends
 * ├── ResponseError               the server refused; has `status` and the server's own words
 * │   ├── UnauthorizedError       401
 * │   ├── ForbiddenError          403
 * │   ├── NotFoundError           404
 * │   └── ServerError             5xx
 * ├── ClientClosedError           the client was closed before or during the call
 * ├── MissingVariableError        `strict`, and a variable of the prompt was not given
 * └── TemplateValueError          a variable can't be put into a text
 *
 * Arguments that can't be right are TypeErrors.
 */

/** For programs that rather compare than use `instanceof`. */
export type ErrorCode =
  | "unreachable"
  | "timeout"
  | "protocol"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "server"
  | "closed"
  | "missing_variable"
  | "invalid";

/** What all errors of the client have in common. */
export class PromptOpsError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No answer came: connection refused or lost, host not found, TLS failed. */
export class ServerUnreachableError extends PromptOpsError {
  constructor(message: string, options?: { cause?: unknown; code?: "unreachable" | "timeout" }) {
    super(options?.code ?? "unreachable", message, options);
  }
}

/** The answer was not complete within the client's time-out. */
export class RequestTimeoutError extends ServerUnreachableError {
  constructor(message: string) {
    super(message, { code: "timeout" });
  }
}

/** Something answered, but not as PromptOps does: is the server's address right? */
export class ProtocolError extends PromptOpsError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("protocol", message, options);
  }
}

/** The server answered with an error status. */
export class ResponseError extends PromptOpsError {
  constructor(
    readonly status: number,
    words: string,
    code: ErrorCode = "server",
  ) {
    super(code, `${status}: ${words}`);
  }
}

/** The token is missing, unknown or expired. */
export class UnauthorizedError extends ResponseError {
  constructor(words: string) {
    super(401, words, "unauthorized");
  }
}

/** The token's role may not do this. */
export class ForbiddenError extends ResponseError {
  constructor(words: string) {
    super(403, words, "forbidden");
  }
}

/** No such prompt in this namespace. */
export class NotFoundError extends ResponseError {
  constructor(words: string) {
    super(404, words, "not_found");
  }
}

/** The server failed; trying again later may help. */
export class ServerError extends ResponseError {}

/** The client was closed. */
export class ClientClosedError extends PromptOpsError {
  constructor() {
    super("closed", "the PromptOps client is closed; make a new one");
  }
}

/** A variable was not given, and `strict` asked for all of them. */
export class MissingVariableError extends PromptOpsError {
  constructor(readonly variable: string) {
    super("missing_variable", `the variable '${variable}' is missing; give it, or leave out 'strict'`);
  }
}

/** A variable's value has no JSON form, as a function or an object that holds itself. */
export class TemplateValueError extends PromptOpsError {
  constructor(
    readonly variable: string,
    reason: string,
  ) {
    super(
      "invalid",
      `the variable '${variable}' can't be rendered: ${reason}; ` +
        "pass text, a number, true or false, or arrays and objects of them",
    );
  }
}

// In characters, of the whole answer.
const LONGEST_REASON = 64 * 1024;

/** Whether the server has refused the token. */
export function isRefusal(error: unknown): error is UnauthorizedError | ForbiddenError {
  return error instanceof UnauthorizedError || error instanceof ForbiddenError;
}

/** The error for a status, in the words of the body's field `error` where it has one. */
export function responseError(status: number, body: string, location?: string): ResponseError {
  const words = location ? redirectWords(location) : (serverWords(body) ?? "the server gave no reason");
  if (status === 401) return new UnauthorizedError(words);
  if (status === 403) return new ForbiddenError(words);
  if (status === 404) return new NotFoundError(words);
  return status >= 500 ? new ServerError(status, words) : new ResponseError(status, words);
}

function redirectWords(location: string): string {
  return `the server redirects to ${maskedUrl(location).slice(0, 500)}; give the client the address behind it`;
}

/** Null where whatever stands between (a proxy, another server) answers in its own format. */
function serverWords(body: string): string | null {
  const answer = body.length > LONGEST_REASON ? null : parsedOrNull(body);
  const words = (answer as { error?: unknown } | null)?.error;
  return typeof words === "string" ? words.slice(0, 500) : null;
}
