import { ServerAddress, type TlsOptions } from "./address.js";
import { checkedMilliseconds, checkedDefault, checkedPath, checkedSubject, checkedText, checkedTimeout, checkKey } from "./arguments.js";
import { Bundle } from "./bundle.js";
import { Disk } from "./disk.js";
import { ClientClosedError, PromptOpsError } from "./errors.js";
import { Fetching, type Place } from "./fetching.js";
import { Following } from "./following.js";
import { HttpClient } from "./http.js";
import { LastKnown } from "./lastknown.js";
import { type EventName, type Listener, Listeners } from "./listeners.js";
import { Memory } from "./memory.js";
import { defaultPrompt, type Prompt, type PromptMessage, renderMessages } from "./prompts.js";
import type { GetOptions, Prompts, RenderOptions } from "./surface.js";
import { Store } from "./store.js";
import { renderTemplate, type Variables } from "./templates.js";
import { Warnings } from "./warnings.js";
import { Watch } from "./watch.js";

/** How a client is made; all but the server may be left out. */
export interface ClientOptions {
  /** The server's address, as `http://127.0.0.1:8080`. */
  server: string;
  /** The environment to read from; `prod` unless given. */
  namespace?: string | undefined;
  /** An API key, session token or the server's static token; its development token unless given. */
  token?: string | undefined;
  /** What the server's list of live clients shows. */
  appName?: string | undefined;
  /** The id or slug of the workspace to read from; the one that the token means unless given. */
  workspace?: string | undefined;
  /** For a fetch as a whole, in milliseconds; 10,000 unless given. */
  timeout?: number | undefined;
  /**
   * While no watch keeps them up to date, copies older than this are refreshed in the background;
   * in milliseconds, 60,000 unless given.
   */
  maxAge?: number | undefined;
  /** A folder for the last known good copies, for when the server can't answer. */
  cacheDir?: string | undefined;
  /** A file with an answer of `/api/sdk/snapshot`, for when there is no other copy. */
  bundle?: string | undefined;
  /** Certificates and keys, for an https server. */
  tls?: TlsOptions | undefined;
}

/**
 * Fetches prompts from a PromptOps server, holds them in memory and keeps them up to date. Share one
 * in the whole program, and close it at the end.
 */
export class PromptOpsClient implements Prompts {
  readonly #place: Place;
  readonly #address: ServerAddress;
  readonly #app: string;
  readonly #timeout: number;
  readonly #http: HttpClient;
  readonly #store: Store;
  readonly #listeners = new Listeners();
  readonly #following: Following;
  #watch: Watch | null = null;
  #closing: Promise<void> | null = null;

  /** Asks nothing of the server yet. TypeError for an option that can't be right. */
  constructor(options: ClientOptions) {
    const { server, token = "promptops-dev-token" } = checkedOptions(options);
    const { namespace = "prod", workspace = "", appName = "", timeout = 10_000, maxAge = 60_000 } = options;
    const warnings = new Warnings();
    const memory = new Memory();
    this.#place = { namespace: checkedText("namespace", namespace), workspace: checkedText("workspace", workspace) };
    this.#app = checkedText("appName", appName);
    this.#timeout = checkedTimeout(timeout);
    this.#address = new ServerAddress(server, token, options.tls);
    this.#http = new HttpClient(this.#address, timeout);
    const cacheDir = checkedPath("cacheDir", options.cacheDir);
    const bundle = checkedPath("bundle", options.bundle);
    const disk = cacheDir === null ? null : new Disk(cacheDir, this.#address.url, workspace, namespace, warnings);
    const bundled = bundle === null ? null : new Bundle(bundle, namespace, warnings);
    const lastKnown = new LastKnown(disk, bundled, warnings);
    this.#store = new Store(
      new Fetching(this.#http, this.#address, this.#place, memory, lastKnown, timeout),
      memory,
      disk,
      lastKnown,
      warnings,
      { timeout, maxAge: checkedMilliseconds("maxAge", maxAge, 0) },
    );
    this.#following = new Following(this.#store, this.#listeners, namespace);
    this.#store.observe(this.#following);
  }

  async getPrompt(key: string, options: GetOptions = {}): Promise<Prompt> {
    const fallback = checkedDefault(options.default);
    const subject = checkedSubject(options.subject);
    checkKey(key);
    try {
      return await this.#store.get(key, { subject, refresh: options.refresh ?? false, hasDefault: fallback !== null });
    } catch (error) {
      if (fallback === null || !(error instanceof PromptOpsError)) throw error;
      return defaultPrompt(key, this.#place.namespace, fallback);
    }
  }

  async preload(): Promise<string[]> {
    return this.#store.preload();
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
    if (this.#closing) throw new ClientClosedError();
    this.#watch ??= new Watch(this.#address, this.#place, this.#app, this.#following, this.#timeout);
    await this.#watch.tried();
  }

  on<Name extends EventName>(event: Name, listener: Listener<Name>): this {
    this.#listeners.add(event, listener);
    return this;
  }

  once<Name extends EventName>(event: Name, listener: Listener<Name>): this {
    this.#listeners.add(event, listener, true);
    return this;
  }

  off<Name extends EventName>(event: Name, listener: Listener<Name>): this {
    this.#listeners.remove(event, listener);
    return this;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#http.close();
    await Promise.all([this.#watch?.close(), this.#store.close()]);
  }
}

/** For programs without types: what they forgot is said in words. */
function checkedOptions(options: unknown): ClientOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("the client needs options, at least { server: \"http://host:8080\" }");
  }
  const { server } = options as Partial<ClientOptions>;
  if (server === undefined || server === null || (server as string) === "") {
    throw new TypeError("the server's address is missing; give it as { server: \"http://host:8080\" }");
  }
  return options as ClientOptions;
}
