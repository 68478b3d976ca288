export type { TlsOptions } from "./address.js";
export type { ContentPart, MessageTemplate, Placeholder, PromptMessage } from "./chat.js";
export { type ClientOptions, PromptOpsClient } from "./client.js";
export {
  ClientClosedError,
  type ErrorCode,
  ForbiddenError,
  MissingVariableError,
  NotFoundError,
  PlaceholderError,
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
export type { Prompt, PromptState, Source } from "./prompts.js";
export type { GetOptions, Prompts, RenderOptions } from "./prompts-interface.js";
export { renderTemplate, type Variables, variablesIn } from "./templates.js";
