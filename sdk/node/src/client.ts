import { ServerAddress, type TlsOptions } from "./address.js";
import { checkedMilliseconds, checkedDefault, checkedPath, checkedSubject, checkedText, checkedTimeout, checkKey } from "./arguments.js";
import { Bundle } from "./bundle.js";
import type { PromptMessage } from "./chat.js";
import { DiskCache } from "./disk-cache.js";
import { ClientClosedError, PromptOpsError } from "./errors.js";
import { FetchPolicy, type PromptScope } from "./fetch-policy.js";
import { SyncState } from "./sync-state.js";
import { HttpClient } from "./http.js";
import { FallbackCopies } from "./fallback-copies.js";
import { type EventName, type Listener, Listeners } from "./listeners.js";
import { CachedPrompts } from "./cached-prompts.js";
import { defaultPrompt, type Prompt, renderMessages } from "./prompts.js";
import type { GetOptions, Prompts, RenderOptions } from "./prompts-interface.js";
import { PromptStore } from "./prompt-store.js";
import { renderTemplate, type Variables } from "./templates.js";
import { Warnings } from "./warnings.js";
import { Watch } from "./watch.js";

/** The options of a client; only `server` is required. */
export interface ClientOptions {
  /** The server's address, as `http://127.0.0.1:8080`. */
  server: string;
  /** The environment to read from; default `prod`. */
  namespace?: string | undefined;
  /** An API key, session token or the server's static token; default: the server's development token. */
  token?: string | undefined;
  /** The name in the server's list of live clients. */
  appName?: string | undefined;
  /** The id or slug of the workspace to read from; default: the one of the token. */
  workspace?: string | undefined;
  /** The limit of a whole fetch, in milliseconds; default 10,000. */
  timeout?: number | undefined;
  /**
   * Without a watch, copies older than this are refreshed in the background; in milliseconds, default 60,000.
   */
  maxAge?: number | undefined;
  /** A folder for the last known good copies, used if the server can't respond. */
  cacheDir?: string | undefined;
  /** A file with a response of `/api/sdk/snapshot`, used if there is no other copy. */
  bundle?: string | undefined;
  /** Certificates and keys, for an https server. */
  tls?: TlsOptions | undefined;
}

/**
 * Fetches prompts from a PromptOps server, caches them in memory and keeps them up to date. Share one client
 * in the whole program, and close it at the end.
 */
export class PromptOpsClient implements Prompts {
  readonly #scope: PromptScope;
  readonly #address: ServerAddress;
  readonly #app: string;
  readonly #timeout: number;
  readonly #http: HttpClient;
  readonly #store: PromptStore;
  readonly #listeners = new Listeners();
  readonly #syncState: SyncState;
  #watch: Watch | null = null;
  #closing: Promise<void> | null = null;

  /** Makes no request yet. Throws TypeError for an invalid option. */
  constructor(options: ClientOptions) {
    const { server, token = "promptops-dev-token" } = checkedOptions(options);
    const { namespace = "prod", workspace = "", appName = "", timeout = 10_000, maxAge = 60_000 } = options;
    const warnings = new Warnings();
    const copies = new CachedPrompts();
    this.#scope = { namespace: checkedText("namespace", namespace), workspace: checkedText("workspace", workspace) };
    this.#app = checkedText("appName", appName);
    this.#timeout = checkedTimeout(timeout);
    this.#address = new ServerAddress(server, token, options.tls);
    this.#http = new HttpClient(this.#address, timeout);
    const cacheDir = checkedPath("cacheDir", options.cacheDir);
    const bundle = checkedPath("bundle", options.bundle);
    const disk = cacheDir === null ? null : new DiskCache(cacheDir, this.#address.url, workspace, namespace, warnings);
    const bundled = bundle === null ? null : new Bundle(bundle, namespace, warnings);
    const fallbackCopies = new FallbackCopies(disk, bundled, warnings);
    this.#store = new PromptStore(
      new FetchPolicy(this.#http, this.#address, this.#scope, copies, fallbackCopies, timeout),
      copies,
      disk,
      fallbackCopies,
      warnings,
      { timeout, maxAge: checkedMilliseconds("maxAge", maxAge, 0) },
    );
    this.#syncState = new SyncState(this.#store, this.#listeners, namespace);
    this.#store.observe(this.#syncState);
  }

  async getPrompt(key: string, options: GetOptions = {}): Promise<Prompt> {
    const fallback = checkedDefault(options.default);
    const subject = checkedSubject(options.subject);
    checkKey(key);
    try {
      return await this.#store.getPrompt(key, { subject, refresh: options.refresh ?? false, hasDefault: fallback !== null });
    } catch (error) {
      if (fallback === null || !(error instanceof PromptOpsError)) throw error;
      return defaultPrompt(key, this.#scope.namespace, fallback);
    }
  }

  async preload(): Promise<string[]> {
    return this.#store.preload();
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
    if (this.#closing) throw new ClientClosedError();
    this.#watch ??= new Watch(this.#address, this.#scope, this.#app, this.#syncState, this.#timeout);
    await this.#watch.firstAttempt();
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

/** For programs without types: throws clear errors for missing options. */
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
