// Exports that use nothing of Node, for edge runtimes and browsers.
export { bucketOf, rangeOf } from "./bucketing.js";
export { type ErrorCode, MissingVariableError, PromptOpsError, TemplateValueError } from "./errors.js";
export { renderTemplate, type Variables, variablesIn } from "./templates.js";
