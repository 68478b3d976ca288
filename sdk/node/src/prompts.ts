import { isText } from "./arguments.js";
import { BASIS_POINTS, bucketOf, drawnBucket, rangeOf } from "./bucketing.js";
import { ProtocolError } from "./errors.js";
import { frozen, isObject } from "./json.js";
import { renderTemplate, type Variables, variablesIn } from "./templates.js";

/** Where an answer comes from, best first. */
export type Source = "server" | "memory" | "disk" | "bundle" | "default";

/** A message of a chat prompt. */
export interface PromptMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** One state that a program can be served: a version, or a rollout's variant. */
export interface PromptState {
  key: string;
  version: string;
  /** The environment. */
  env: string;
  model: string;
  /** Of a chat prompt, the texts of its messages. */
  content: string;
  /** The rollout's variant that was picked; null while no rollout is on. */
  variant: string | null;
  /** `text` or `chat`. */
  kind: string;
  messages: readonly PromptMessage[];
  config: Readonly<Record<string, unknown>>;
  /** The names in its placeholders. */
  variables: readonly string[];
}

/** What a call for a prompt answers. The object is the caller's own, what it holds is frozen. */
export interface Prompt extends PromptState {
  source: Source;
  /** Of the server's change feed; null from a bundle, a default, or a server without one. */
  revision: number | null;
  /** Seconds since the server last confirmed it; null where nobody knows. */
  age: number | null;
}

/** A prompt with its rollout, as fetched, and the text that it came in. */
export interface Whole {
  readonly text: string;
  readonly served: Readonly<PromptState>;
  readonly rollout: Rollout | null;
}

interface Rollout {
  readonly salt: string;
  readonly weights: readonly number[];
  readonly variants: readonly Readonly<PromptState>[];
}

type Fields = Record<string, unknown>;

/** What one without a subject gets: of a rollout, a variant at random. */
export function drawnFrom(whole: Whole): Readonly<PromptState> {
  return whole.rollout === null ? whole.served : inBucket(whole.rollout, drawnBucket());
}

/** What this subject gets, always the same. */
export function assigned(whole: Whole, subject: string): Readonly<PromptState> {
  return whole.rollout === null
    ? whole.served
    : inBucket(whole.rollout, bucketOf(whole.rollout.salt, subject));
}

/** The answer made of the text that the caller falls back on. */
export function defaultPrompt(key: string, env: string, content: string): Prompt {
  const made = { key, env, content, variables: variablesIn(content) };
  return { ...stateOf(made, made, null), source: "default", revision: null, age: null };
}

/** A chat prompt's messages with the variables put in; a text prompt is one message of the user. */
export function renderMessages(
  prompt: Readonly<PromptState>,
  variables: Variables | null | undefined,
  strict: boolean,
): PromptMessage[] {
  const messages =
    prompt.messages.length > 0 ? prompt.messages : [{ role: "user", content: prompt.content }];
  return messages.map((message) => ({
    ...message,
    content: renderTemplate(message.content, variables, { strict }),
  }));
}

/**
 * A prompt of a fetch, a snapshot or a file; ProtocolError for anything else, and for one with another
 * key than was asked for. What it holds is frozen.
 */
export function parsePrompt(data: unknown, text: string, key?: string): Whole {
  if (!isObject(data)) throw new ProtocolError("what came is no prompt: it is no object");
  if (key !== undefined && !isSameKey(data["key"], key)) {
    const other = typeof data["key"] === "string" ? `'${data["key"].slice(0, 100)}'` : "no key";
    throw new ProtocolError(`a prompt with another key came: asked for '${key}', got ${other}`);
  }
  const rollout = data["rollout"] ?? null;
  return {
    text,
    // Servers of before send the variant that they drew.
    served: stateOf(data, data, typeof data["variant"] === "string" ? data["variant"] : null),
    rollout: rollout === null ? null : rolloutOf(rollout, data),
  };
}

/** The server may compose letters and their accents, which are the same text (NFC). */
function isSameKey(other: unknown, key: string): boolean {
  return other === key || (typeof other === "string" && other.normalize("NFC") === key.normalize("NFC"));
}

function inBucket(rollout: Rollout, bucket: number): Readonly<PromptState> {
  return rollout.variants[rangeOf(rollout.weights, bucket)] as PromptState;
}

function rolloutOf(data: unknown, prompt: Fields): Rollout {
  const variants = isObject(data) ? data["variants"] : null;
  if (!isObject(data) || !Array.isArray(variants) || !isText(data["salt"])) {
    throw new ProtocolError("a rollout came without 'salt' and 'variants'");
  }
  const weights = variants.map(weightOf);
  const sum = weights.reduce((before, weight) => before + weight, 0);
  if (sum !== BASIS_POINTS) throw new ProtocolError(`a rollout came whose weights add up to ${sum}`);
  const states = variants.map((each: Fields) => stateOf(each, prompt, each["name"] as string));
  return { salt: data["salt"], weights, variants: states };
}

function weightOf(variant: unknown): number {
  const weight = isObject(variant) ? variant["weight"] : null;
  const isWhole = Number.isInteger(weight) && (weight as number) >= 0;
  if (!isObject(variant) || !isWhole || typeof variant["name"] !== "string") {
    throw new ProtocolError("a variant came without 'name' and 'weight'");
  }
  return weight as number;
}

/** The fields that a caller gets, of a prompt or of one of its variants. */
function stateOf(data: Fields, prompt: Fields, variant: string | null): Readonly<PromptState> {
  if (typeof data["content"] !== "string") {
    throw new ProtocolError("a prompt came without the text field 'content'");
  }
  return frozen({
    key: textIn(prompt, "key", ""),
    version: textIn(data, "version", ""),
    env: textIn(prompt, "env", ""),
    model: textIn(data, "model", ""),
    content: data["content"],
    variant,
    kind: textIn(data, "kind", "text"),
    messages: messagesIn(data),
    config: configIn(data),
    variables: listIn(data, "variables", (each): each is string => typeof each === "string"),
  });
}

function textIn(data: Fields, name: string, missing: string): string {
  const value = data[name] ?? missing;
  if (typeof value !== "string") throw wrongField(name);
  return value;
}

function listIn<T>(data: Fields, name: string, fits: (each: unknown) => each is T): readonly T[] {
  const value = data[name] ?? [];
  if (!Array.isArray(value) || !value.every(fits)) throw wrongField(name);
  return value;
}

function messagesIn(data: Fields): readonly PromptMessage[] {
  return listIn(
    data,
    "messages",
    (each): each is PromptMessage => isObject(each) && typeof each["content"] === "string",
  );
}

function configIn(data: Fields): Readonly<Fields> {
  const config = data["config"] ?? {};
  if (!isObject(config)) throw wrongField("config");
  return config;
}

function wrongField(name: string): ProtocolError {
  return new ProtocolError(`a prompt came whose field '${name}' is not what PromptOps sends`);
}
