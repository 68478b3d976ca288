import { parsedOrNull } from "./parsing.js";
import { maskedUrl } from "./masking.js";

/**
 * The errors of the client.
 *
 * PromptOpsError
 * ├── ServerUnreachableError      no response: refused, reset, name not found, TLS failed
 * │   └── RequestTimeoutError     no complete response within the time-out
 * ├── ProtocolError               a response that does not come from PromptOps
 * ├── ResponseError               the server refused; has `status` and the server's message
 * │   ├── UnauthorizedError       401
 * │   ├── ForbiddenError          403
 * │   ├── NotFoundError           404
 * │   └── ServerError             5xx
 * ├── ClientClosedError           the client was closed before or during the call
 * ├── MissingVariableError        `strict`, and a variable of the prompt is missing
 * ├── TemplateValueError          a variable has no text form
 * └── PlaceholderError            a variable can't fill a placeholder of a chat
 *
 * Invalid arguments cause TypeErrors.
 */

/** For programs that compare codes instead of using `instanceof`. */
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

/** The base class of all errors of the client. */
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

/** No response: connection refused or lost, host not found, TLS failed. */
export class ServerUnreachableError extends PromptOpsError {
  constructor(message: string, options?: { cause?: unknown; code?: "unreachable" | "timeout" }) {
    super(options?.code ?? "unreachable", message, options);
  }
}

/** The response was not complete within the client's time-out. */
export class RequestTimeoutError extends ServerUnreachableError {
  constructor(message: string) {
    super(message, { code: "timeout" });
  }
}

/** The response does not come from PromptOps: is the server's address right? */
export class ProtocolError extends PromptOpsError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("protocol", message, options);
  }
}

/** The server responded with an error status. */
export class ResponseError extends PromptOpsError {
  constructor(
    readonly status: number,
    message: string,
    code: ErrorCode = "server",
  ) {
    super(code, `${status}: ${message}`);
  }
}

/** The token is missing, unknown or expired. */
export class UnauthorizedError extends ResponseError {
  constructor(message: string) {
    super(401, message, "unauthorized");
  }
}

/** The token's role may not do this. */
export class ForbiddenError extends ResponseError {
  constructor(message: string) {
    super(403, message, "forbidden");
  }
}

/** No such prompt in this namespace. */
export class NotFoundError extends ResponseError {
  constructor(message: string) {
    super(404, message, "not_found");
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

/** A variable is missing, and `strict` requires all of them. */
export class MissingVariableError extends PromptOpsError {
  constructor(readonly variable: string) {
    super("missing_variable", `the variable '${variable}' is missing; give it, or leave out 'strict'`);
  }
}

/** A variable's value has no JSON form, for example a function or an object that contains itself. */
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

/**
 * A variable's value can't fill its placeholder in a chat prompt; `index` is the index of the invalid
 * message, null if the value is not an array.
 */
export class PlaceholderError extends PromptOpsError {
  constructor(
    readonly variable: string,
    reason: string,
    readonly index: number | null,
  ) {
    super("invalid", `the variable '${variable}' can't fill its placeholder: ${reason}`);
  }
}

// The longest body, in characters.
const LONGEST_REASON = 64 * 1024;

/** Whether the server has refused the token. */
export function isRefusal(error: unknown): error is UnauthorizedError | ForbiddenError {
  return error instanceof UnauthorizedError || error instanceof ForbiddenError;
}

/**
 * The error for a status: the redirect's address, or the message in the body's field `error` if there is one.
 */
export function responseError(status: number, body: string, location?: string): ResponseError {
  const isRedirect = status >= 300 && status < 400 && location;
  const message = isRedirect ? redirectMessage(location) : (serverMessage(body) ?? "the server gave no reason");
  if (status === 401) return new UnauthorizedError(message);
  if (status === 403) return new ForbiddenError(message);
  if (status === 404) return new NotFoundError(message);
  return status >= 500 ? new ServerError(status, message) : new ResponseError(status, message);
}

function redirectMessage(location: string): string {
  return `the server redirects to '${maskedUrl(location).slice(0, 300)}'; use that address`;
}

/** The server's message; null if the response has another format, for example from a proxy. */
function serverMessage(body: string): string | null {
  const parsed = body.length > LONGEST_REASON ? null : parsedOrNull(body);
  const message = (parsed as { error?: unknown } | null)?.error;
  return typeof message === "string" ? message.slice(0, 500) : null;
}
