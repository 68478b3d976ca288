import type { EventName, Listener } from "./listeners.js";
import type { Prompt, PromptMessage } from "./prompts.js";
import type { Variables } from "./templates.js";

export interface GetOptions {
  /** Ask the server, although a copy is held. */
  refresh?: boolean | undefined;
  /** Whose variant of a rollout; without one, or with the empty text, it is drawn when the prompt is fetched. */
  subject?: string | undefined;
  /** The text to answer where nothing else is known; null is as not given. */
  default?: string | null | undefined;
}

export interface RenderOptions extends GetOptions {
  /** A variable that is missing or null is a MissingVariableError. */
  strict?: boolean | undefined;
}

/** What the client and its fake for tests have in common; write your functions for it. */
export interface Prompts {
  /**
   * A prompt: from memory, else from the server, from the last known good copy on disk, from the
   * bundle, or made of the default. Its `source` says which.
   *
   * Rejects with a PromptOpsError where none of them has it: NotFoundError, UnauthorizedError,
   * ForbiddenError, ServerError, ServerUnreachableError, RequestTimeoutError, ProtocolError, and
   * ClientClosedError where it would have to fetch.
   */
  getPrompt(key: string, options?: GetOptions): Promise<Prompt>;

  /**
   * Fetches all prompts of the environment in one request and holds them; resolves with their keys.
   * Rejects with the errors of `getPrompt`; what is held stays then.
   */
  preload(): Promise<string[]>;

  /** The prompt's content with the variables put in. */
  render(key: string, variables?: Variables | null, options?: RenderOptions): Promise<string>;

  /** Its messages with the variables put in; a text prompt is one message of the user. */
  renderMessages(
    key: string,
    variables?: Variables | null,
    options?: RenderOptions,
  ): Promise<PromptMessage[]>;

  /** Puts the variables into any text, as the function of the same name does. */
  renderTemplate(template: string | null | undefined, variables?: Variables | null, options?: { strict?: boolean }): string;

  /**
   * Keeps what is held up to date from now on, over a connection that keeps the program running.
   * Resolves once it stands or has failed; it never rejects for that, the client tries again.
   * Rejects with ClientClosedError after `close`.
   */
  watch(): Promise<void>;

  on<Name extends EventName>(event: Name, listener: Listener<Name>): this;
  once<Name extends EventName>(event: Name, listener: Listener<Name>): this;
  off<Name extends EventName>(event: Name, listener: Listener<Name>): this;

  /**
   * Ends the watch and all requests; again is allowed. Resolves when no timer and no connection is
   * left. What is held can still be read afterwards, nothing can be fetched.
   */
  close(): Promise<void>;
}
