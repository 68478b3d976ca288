import { isText } from "./arguments.js";
import { BASIS_POINTS, bucketOf, randomBucket, rangeOf } from "./bucketing.js";
import { isMessage, type MessageTemplate, type PromptMessage, renderChat } from "./chat.js";
import { ProtocolError } from "./errors.js";
import { frozen, isObject } from "./json.js";
import { type Variables, variablesIn } from "./templates.js";

/** Where a prompt comes from, best first. */
export type Source = "server" | "memory" | "disk" | "bundle" | "default";

/** One version of a prompt, or one variant of its rollout. */
export interface PromptState {
  key: string;
  version: string;
  /** The environment. */
  env: string;
  model: string;
  /** Of a chat prompt, the texts of its messages. */
  content: string;
  /** The chosen variant of the rollout; null without a rollout. */
  variant: string | null;
  /** `text` or `chat`. */
  kind: string;
  messages: readonly MessageTemplate[];
  config: Readonly<Record<string, unknown>>;
  /** The names in its placeholders. */
  variables: readonly string[];
}

/** The result of a call for a prompt. The caller owns the object; its members are frozen. */
export interface Prompt extends PromptState {
  source: Source;
  /** The revision of the change feed; null for a bundle, a default, or a server without a feed. */
  revision: number | null;
  /** The seconds since the server last confirmed it; null if unknown. */
  age: number | null;
}

/** A prompt with its rollout, and its original JSON text. */
export interface FullPrompt {
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

/** The variant for a call without a subject; during a rollout a random one. */
export function drawVariant(fullPrompt: FullPrompt): Readonly<PromptState> {
  return fullPrompt.rollout === null ? fullPrompt.served : inBucket(fullPrompt.rollout, randomBucket());
}

/** The variant of this subject, always the same. */
export function variantFor(fullPrompt: FullPrompt, subject: string): Readonly<PromptState> {
  return fullPrompt.rollout === null
    ? fullPrompt.served
    : inBucket(fullPrompt.rollout, bucketOf(fullPrompt.rollout.salt, subject));
}

/** A prompt with the default text of a call. */
export function defaultPrompt(key: string, env: string, content: string): Prompt {
  const fields = { key, env, content, variables: variablesIn(content) };
  return { ...stateOf(fields, fields, null), source: "default", revision: null, age: null };
}

/** Renders the messages of a chat prompt; a text prompt becomes one message of the user. */
export function renderMessages(
  prompt: Readonly<PromptState>,
  variables: Variables | null | undefined,
  strict: boolean,
): PromptMessage[] {
  const messages =
    prompt.messages.length > 0 ? prompt.messages : [{ role: "user", content: prompt.content }];
  return renderChat(messages, variables, strict);
}

/**
 * Parses a prompt of a fetch, a snapshot or a file; throws ProtocolError for anything else, and for a prompt
 * with another key. The result is frozen.
 */
export function parsePrompt(data: unknown, text: string, key?: string): FullPrompt {
  if (!isObject(data)) throw new ProtocolError("the response is not a prompt: it is not an object");
  if (key !== undefined && !isSameKey(data["key"], key)) {
    const sentKey = typeof data["key"] === "string" ? `'${data["key"].slice(0, 100)}'` : "no key";
    throw new ProtocolError(`the response has another key: requested '${key}', received ${sentKey}`);
  }
  const rollout = data["rollout"] ?? null;
  return {
    text,
    // Older servers send the variant that they drew.
    served: stateOf(data, data, typeof data["variant"] === "string" ? data["variant"] : null),
    rollout: rollout === null ? null : rolloutOf(rollout, data),
  };
}

/** The server may compose letters and their accents (NFC), which are the same text. */
function isSameKey(sentKey: unknown, key: string): boolean {
  return sentKey === key || (typeof sentKey === "string" && sentKey.normalize("NFC") === key.normalize("NFC"));
}

function inBucket(rollout: Rollout, bucket: number): Readonly<PromptState> {
  return rollout.variants[rangeOf(rollout.weights, bucket)] as PromptState;
}

function rolloutOf(data: unknown, prompt: Fields): Rollout {
  const variants = isObject(data) ? data["variants"] : null;
  if (!isObject(data) || !Array.isArray(variants) || !isText(data["salt"])) {
    throw new ProtocolError("the rollout has no 'salt' and 'variants'");
  }
  const weights = variants.map(weightOf);
  const sum = weights.reduce((before, weight) => before + weight, 0);
  if (sum !== BASIS_POINTS) throw new ProtocolError(`the weights of the rollout add up to ${sum}`);
  const states = variants.map((variant: Fields) => stateOf(variant, prompt, variant["name"] as string));
  return { salt: data["salt"], weights, variants: states };
}

function weightOf(variant: unknown): number {
  const weight = isObject(variant) ? variant["weight"] : null;
  const isWhole = Number.isInteger(weight) && (weight as number) >= 0;
  if (!isObject(variant) || !isWhole || typeof variant["name"] !== "string") {
    throw new ProtocolError("a variant has no valid 'name' and 'weight'");
  }
  return weight as number;
}

/** The fields of a prompt, or of one of its variants. */
function stateOf(data: Fields, prompt: Fields, variant: string | null): Readonly<PromptState> {
  if (typeof data["content"] !== "string") {
    throw new ProtocolError("the prompt has no text field 'content'");
  }
  return frozen({
    key: textIn(prompt, "key", ""),
    version: textIn(data, "version", ""),
    env: textIn(prompt, "env", ""),
    model: textIn(data, "model", ""),
    content: data["content"],
    variant,
    kind: textIn(data, "kind", "text"),
    messages: listIn(data, "messages", isMessage),
    config: configIn(data),
    variables: listIn(data, "variables", (item): item is string => typeof item === "string"),
  });
}

function textIn(data: Fields, name: string, missing: string): string {
  const value = data[name] ?? missing;
  if (typeof value !== "string") throw wrongField(name);
  return value;
}

function listIn<T>(data: Fields, name: string, fits: (item: unknown) => item is T): readonly T[] {
  const value = data[name] ?? [];
  if (!Array.isArray(value) || !value.every(fits)) throw wrongField(name);
  return value;
}

function configIn(data: Fields): Readonly<Fields> {
  const config = data["config"] ?? {};
  if (!isObject(config)) throw wrongField("config");
  return config;
}

function wrongField(name: string): ProtocolError {
  return new ProtocolError(`the field '${name}' of the prompt has a wrong type`);
}
