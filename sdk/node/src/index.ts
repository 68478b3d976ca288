export type { TlsOptions } from "./address.js";
export { type ClientOptions, PromptOpsClient } from "./client.js";
export {
  ClientClosedError,
  type ErrorCode,
  ForbiddenError,
  MissingVariableError,
  NotFoundError,
  PromptOpsError,
  ProtocolError,
  RequestTimeoutError,
  ResponseError,
  ServerError,
  ServerUnreachableError,
  TemplateValueError,
  UnauthorizedError,
} from "./errors.js";
export type { ChangeEvent } from "./events.js";
export type { ClientEvents, Deletion, EventName, Listener, Update } from "./listeners.js";
export type { Prompt, PromptMessage, PromptState, Source } from "./prompts.js";
export type { GetOptions, Prompts, RenderOptions } from "./surface.js";
export { renderTemplate, type Variables, variablesIn } from "./templates.js";
