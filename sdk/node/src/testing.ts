import { checkedDefault, checkedSubject, checkKey } from "./arguments.js";
import { NotFoundError, type PromptOpsError } from "./errors.js";
import { type ChangeEvent, changeEvent } from "./events.js";
import { type EventName, type Listener, Listeners } from "./listeners.js";
import {
  defaultPrompt,
  type Prompt,
  type PromptMessage,
  type PromptState,
  renderMessages,
} from "./prompts.js";
import type { GetOptions, Prompts, RenderOptions } from "./surface.js";
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

  /** Adds a prompt or changes it; while watched, listeners for `update` are told at once. */
  set(key: string, prompt: FakePrompt): this {
    const given = typeof prompt === "string" ? { content: prompt } : prompt;
    const content = given.content ?? (given.messages ?? []).map((each) => each.content).join("\n\n");
    const kind = given.messages?.length ? "chat" : "text";
    const base = { ...defaultPrompt(key, "test", content), version: "v1", kind };
    const made: Prompt = { ...base, ...given, source: "memory", revision: null, age: 0 };
    this.#prompts.set(key, made);
    if (this.#isWatching) {
      this.#listeners.tell("update", { key, prompt: { ...made }, event: event("prompt.published", made) });
    }
    return this;
  }

  /** Removes a prompt, as a deletion on the server does. */
  delete(key: string): this {
    const gone = this.#prompts.get(key);
    this.#prompts.delete(key);
    if (gone && this.#isWatching) this.#listeners.tell("delete", { key, event: event("prompt.deleted", gone) });
    return this;
  }

  /** From now on calls without a default reject with this; null: no longer. */
  failWith(error: PromptOpsError | null): this {
    this.#failure = error;
    return this;
  }

  /** Tells listeners, as the client would. */
  emit(name: "connect" | "disconnect"): void;
  emit(name: "error", error: PromptOpsError): void;
  emit(name: "connect" | "disconnect" | "error", error?: PromptOpsError): void {
    if (name === "error") this.#listeners.tell(name, error as PromptOpsError);
    else this.#listeners.tell(name);
  }

  /** A subject does not matter here. */
  async getPrompt(key: string, options: GetOptions = {}): Promise<Prompt> {
    const fallback = checkedDefault(options.default);
    checkedSubject(options.subject);
    checkKey(key);
    const found = this.#failure ? undefined : this.#prompts.get(key);
    if (found) return { ...found };
    if (fallback !== null) return defaultPrompt(key, "test", fallback);
    throw this.#failure ?? new NotFoundError(`no prompt '${key}' was given to the fake`);
  }

  /** The keys of all prompts that it has. */
  async preload(): Promise<string[]> {
    if (this.#failure) throw this.#failure;
    return [...this.#prompts.keys()];
  }

  async render(key: string, variables?: Variables | null, options: RenderOptions = {}): Promise<string> {
    const { strict = false, ...asked } = options;
    return renderTemplate((await this.getPrompt(key, asked)).content, variables, { strict });
  }

  async renderMessages(
    key: string,
    variables?: Variables | null,
    options: RenderOptions = {},
  ): Promise<PromptMessage[]> {
    const { strict = false, ...asked } = options;
    return renderMessages(await this.getPrompt(key, asked), variables, strict);
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
