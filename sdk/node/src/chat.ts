import { typeName } from "./arguments.js";
import { MissingVariableError, PlaceholderError } from "./errors.js";
import { isObject } from "./json.js";
import { renderTemplate, type Variables, variablesIn } from "./templates.js";

/** A message in the format of OpenAI's Chat Completions. */
export interface PromptMessage {
  readonly role: string;
  /** A text, or parts with a `type`; null or missing if there are `tool_calls`. */
  readonly content?: string | readonly ContentPart[] | null;
  readonly [field: string]: unknown;
}

/** A placeholder for the messages in the variable of this name. */
export interface Placeholder {
  readonly type: "placeholder";
  readonly name: string;
  readonly role?: undefined;
  readonly content?: undefined;
}

export interface ContentPart {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An element of a chat prompt. */
export type MessageTemplate = PromptMessage | Placeholder;

type Fields = Record<string, unknown>;

// The members with texts, of a part or of the object in it that is named like its type.
const TEXTS = ["text", "url", "file_data"];

/**
 * Renders the messages: inserts variables into texts and URLs, and replaces each placeholder by the messages
 * in the variable of its name. `sdk/conformance/README.md` of the project has the full specification.
 */
export function renderChat(
  messages: readonly MessageTemplate[],
  variables: Variables | null | undefined,
  strict: boolean,
): PromptMessage[] {
  // This also checks the variables.
  renderTemplate("", variables);
  const values = (variables ?? {}) as Fields;
  const valueOf = (name: string) => (Object.hasOwn(values, name) ? (values[name] ?? null) : null);
  if (strict) {
    const missing = messages.flatMap(namesIn).find((name) => valueOf(name) === null);
    if (missing !== undefined) throw new MissingVariableError(missing);
  }
  return messages.flatMap((message) => {
    if (!isPlaceholder(message)) return [renderedMessage(message, variables)];
    const value = valueOf(message.name);
    return value === null ? [] : filling(message.name, value);
  });
}

/** Joins all texts of the messages, as the server does for a prompt's content. */
export function joinedTexts(messages: readonly MessageTemplate[]): string {
  return messages.flatMap(textsIn).join("\n\n");
}

/** Whether it is a valid message of a prompt from a server. */
export function isMessage(value: unknown): value is MessageTemplate {
  if (!isObject(value)) return false;
  if (value["type"] === "placeholder") return typeof value["name"] === "string";
  return typeof value["role"] === "string" && contentProblem(value) === null;
}

/** The names of the variables of a message, in order. */
function namesIn(message: MessageTemplate): string[] {
  if (isPlaceholder(message)) return [message.name];
  const { content } = message;
  return (typeof content === "string" ? [content] : (content ?? []).flatMap(templatesIn)).flatMap(variablesIn);
}

function isPlaceholder(message: MessageTemplate): message is Placeholder {
  return message["type"] === "placeholder";
}

function templatesIn(part: ContentPart): string[] {
  const holder = holderIn(part);
  return TEXTS.map((name) => holder[name]).filter((text) => typeof text === "string");
}

/** The object that has the texts of a part. */
function holderIn(part: ContentPart): Readonly<Fields> {
  const inner = Object.hasOwn(part, part.type) ? part[part.type] : null;
  return isObject(inner) ? inner : part;
}

function renderedMessage(message: PromptMessage, variables: Variables | null | undefined): PromptMessage {
  const { content } = message;
  const render = (text: string) => renderTemplate(text, variables);
  if (typeof content === "string") return { ...message, content: render(content) };
  return Array.isArray(content) ? { ...message, content: content.map((part) => renderedPart(part, render)) } : { ...message };
}

function renderedPart(part: ContentPart, render: (text: string) => string): ContentPart {
  const holder = holderIn(part);
  const rendered = TEXTS.filter((name) => typeof holder[name] === "string").map((name) => [name, render(holder[name] as string)]);
  const filled = { ...holder, ...Object.fromEntries(rendered) };
  return holder === part ? (filled as ContentPart) : { ...part, [part.type]: filled };
}

function textsIn({ content }: MessageTemplate): string[] {
  if (typeof content === "string") return [content];
  return (content ?? []).flatMap((part) => (part.type === "text" && typeof part["text"] === "string" ? [part["text"]] : []));
}

function filling(name: string, value: unknown): PromptMessage[] {
  if (!Array.isArray(value)) throw new PlaceholderError(name, `it is ${typeName(value)}; give it an array of messages`, null);
  return value.map((item: unknown, index) => {
    const problem = itemProblem(item);
    if (problem !== null) throw new PlaceholderError(name, `message ${index} ${problem}`, index);
    return { ...(item as PromptMessage) };
  });
}

function itemProblem(item: unknown): string | null {
  if (!isObject(item)) return `is ${typeName(item)}; give it an object with role and content`;
  const role = item["role"];
  return typeof role === "string" && role !== "" ? contentProblem(item) : "has no role; give it one such as 'user'";
}

function contentProblem({ content, tool_calls: calls }: Fields): string | null {
  if (Array.isArray(content)) {
    const haveTypes = content.every((part) => isObject(part) && typeof part["type"] === "string");
    return haveTypes ? null : "has a content part that is not an object with a type";
  }
  const needsNone = (content ?? null) === null && Array.isArray(calls) && calls.length > 0;
  return typeof content === "string" || needsNone ? null : "has no content; give it a text or an array of parts";
}
