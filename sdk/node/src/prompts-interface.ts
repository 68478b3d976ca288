import type { EventName, Listener } from "./listeners.js";
import type { PromptMessage } from "./chat.js";
import type { Prompt } from "./prompts.js";
import type { Variables } from "./templates.js";

export interface GetOptions {
  /** Ask the server even though a copy is cached. */
  refresh?: boolean | undefined;
  /**
   * The subject whose variant of a rollout to use; without one, or with an empty text, each fetch draws the
   * variant.
   */
  subject?: string | undefined;
  /** The text to use if there is no other copy; null counts as missing. */
  default?: string | null | undefined;
}

export interface RenderOptions extends GetOptions {
  /** A missing or null variable causes a MissingVariableError. */
  strict?: boolean | undefined;
}

/** The common interface of the client and its fake for tests; write your functions for it. */
export interface Prompts {
  /**
   * Resolves with a prompt from memory, the server, the last known good copy on disk, the bundle, or the
   * default, in this order. Its `source` is the one that was used.
   *
   * Rejects with a PromptOpsError if none of them has it: NotFoundError, UnauthorizedError, ForbiddenError,
   * ServerError, ServerUnreachableError, RequestTimeoutError, ProtocolError, and ClientClosedError if it
   * would have to fetch.
   */
  getPrompt(key: string, options?: GetOptions): Promise<Prompt>;

  /**
   * Fetches all prompts of the environment in one request and caches them; resolves with their keys. Rejects
   * with the errors of `getPrompt`; cached copies stay then.
   */
  preload(): Promise<string[]>;

  /** Resolves with the prompt's content with the variables inserted. */
  render(key: string, variables?: Variables | null, options?: RenderOptions): Promise<string>;

  /**
   * Resolves with its messages, with the variables in texts and URLs; a text prompt becomes one message of
   * the user. A placeholder, `{type: "placeholder", name: "history"}`, is replaced by the array of messages
   * in the variable `history`, unchanged, and left out without one. Rejects with PlaceholderError if the
   * value can't fill it.
   */
  renderMessages(
    key: string,
    variables?: Variables | null,
    options?: RenderOptions,
  ): Promise<PromptMessage[]>;

  /** Inserts the variables into any text, like the function of the same name. */
  renderTemplate(template: string | null | undefined, variables?: Variables | null, options?: { strict?: boolean }): string;

  /**
   * Keeps cached prompts up to date from now on, over a connection that keeps the program running. Resolves
   * after the first connection succeeded or failed; it never rejects for a failed connection, because the
   * client tries again. Rejects with ClientClosedError after `close`.
   */
  watch(): Promise<void>;

  on<Name extends EventName>(event: Name, listener: Listener<Name>): this;
  once<Name extends EventName>(event: Name, listener: Listener<Name>): this;
  off<Name extends EventName>(event: Name, listener: Listener<Name>): this;

  /**
   * Ends the watch and all requests; can be called again. Resolves when no timer and no connection is left.
   * Afterwards cached prompts can still be read, but nothing can be fetched.
   */
  close(): Promise<void>;
}
