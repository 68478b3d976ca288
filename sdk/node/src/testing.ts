import { checkedDefault, checkedSubject, checkKey } from "./arguments.js";
import { joinedTexts, type PromptMessage } from "./chat.js";
import { NotFoundError, type PromptOpsError } from "./errors.js";
import { type ChangeEvent, changeEvent } from "./events.js";
import { type EventName, type Listener, Listeners } from "./listeners.js";
import {
  defaultPrompt,
  type Prompt,
  type PromptState,
  renderMessages,
} from "./prompts.js";
import type { GetOptions, Prompts, RenderOptions } from "./prompts-interface.js";
import { renderTemplate, type Variables } from "./templates.js";

/** A prompt for the fake: its text, or any of its fields. */
export type FakePrompt = string | Partial<Omit<PromptState, "key">>;

/**
 * Prompts for the tests of programs that use `Prompts`: no server, no socket, no timer.
 *
 *     const prompts = new FakePromptOpsClient({ greeting: "Hello {{who}}!" });
 */
export class FakePromptOpsClient implements Prompts {
  readonly #prompts = new Map<string, Prompt>();
  readonly #listeners = new Listeners();
  #failure: PromptOpsError | null = null;
  #isWatching = false;

  constructor(prompts: Readonly<Record<string, FakePrompt>> = {}) {
    for (const [key, prompt] of Object.entries(prompts)) this.set(key, prompt);
  }

  /** Whether `watch` was called and `close` was not. */
  get isWatching(): boolean {
    return this.#isWatching;
  }

  /** Adds or changes a prompt; while watching, notifies the listeners of `update` immediately. */
  set(key: string, definition: FakePrompt): this {
    const fields = typeof definition === "string" ? { content: definition } : definition;
    const content = fields.content ?? joinedTexts(fields.messages ?? []);
    const kind = fields.messages?.length ? "chat" : "text";
    const base = { ...defaultPrompt(key, "test", content), version: "v1", kind };
    const prompt: Prompt = { ...base, ...fields, source: "memory", revision: null, age: 0 };
    this.#prompts.set(key, prompt);
    if (this.#isWatching) {
      this.#listeners.notify("update", { key, prompt: { ...prompt }, event: event("prompt.published", prompt) });
    }
    return this;
  }

  /** Removes a prompt, like a deletion on the server. */
  delete(key: string): this {
    const removed = this.#prompts.get(key);
    this.#prompts.delete(key);
    if (removed && this.#isWatching) this.#listeners.notify("delete", { key, event: event("prompt.deleted", removed) });
    return this;
  }

  /** Makes calls without a default reject with this error; null ends that. */
  failWith(error: PromptOpsError | null): this {
    this.#failure = error;
    return this;
  }

  /** Notifies listeners, like the client. */
  emit(name: "connect" | "disconnect"): void;
  emit(name: "error", error: PromptOpsError): void;
  emit(name: "connect" | "disconnect" | "error", error?: PromptOpsError): void {
    if (name === "error") this.#listeners.notify(name, error as PromptOpsError);
    else this.#listeners.notify(name);
  }

  /** The subject has no effect here. */
  async getPrompt(key: string, options: GetOptions = {}): Promise<Prompt> {
    const fallback = checkedDefault(options.default);
    checkedSubject(options.subject);
    checkKey(key);
    const prompt = this.#failure ? undefined : this.#prompts.get(key);
    if (prompt) return { ...prompt };
    if (fallback !== null) return defaultPrompt(key, "test", fallback);
    throw this.#failure ?? new NotFoundError(`the fake has no prompt '${key}'`);
  }

  /** Resolves with the keys of all prompts. */
  async preload(): Promise<string[]> {
    if (this.#failure) throw this.#failure;
    return [...this.#prompts.keys()];
  }

  async render(key: string, variables?: Variables | null, options: RenderOptions = {}): Promise<string> {
    const { strict = false, ...getOptions } = options;
    return renderTemplate((await this.getPrompt(key, getOptions)).content, variables, { strict });
  }

  async renderMessages(
    key: string,
    variables?: Variables | null,
    options: RenderOptions = {},
  ): Promise<PromptMessage[]> {
    const { strict = false, ...getOptions } = options;
    return renderMessages(await this.getPrompt(key, getOptions), variables, strict);
  }

  renderTemplate(template: string | null | undefined, variables?: Variables | null, options?: { strict?: boolean }): string {
    return renderTemplate(template, variables, options);
  }

  async watch(): Promise<void> {
    this.#isWatching = true;
  }

  on<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.#listeners.add(name, listener);
    return this;
  }

  once<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.#listeners.add(name, listener, true);
    return this;
  }

  off<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.#listeners.remove(name, listener);
    return this;
  }

  async close(): Promise<void> {
    this.#isWatching = false;
  }
}

function event(type: string, { key, env, version }: Prompt): ChangeEvent {
  return changeEvent({ type, id: "", key, env, version });
}
