// The driver of the conformance scenarios: reads one JSON command a line, writes one JSON reply a line.
// docs/sdk-protocol.md has the commands. It needs the built package: npm run build.
import { createInterface } from "node:readline";

import { PromptOpsClient, PromptOpsError, renderTemplate } from "@promptops/client";

import { bucketOf } from "../dist/bucketing.js";

/** @type {PromptOpsClient | null} */
let client = null;
/** @type {Record<string, unknown>[]} */
let events = [];
/** @type {() => void} */
let onEvent = () => undefined;

/** @param {any} command */
async function renew({ server, namespace, token, app, options = {} }) {
  await client?.close();
  const made = new PromptOpsClient({
    server,
    namespace,
    token,
    appName: app,
    workspace: options.workspace,
    timeout: options.timeout === undefined ? undefined : options.timeout * 1000,
    maxAge: options.max_age === undefined ? undefined : options.max_age * 1000,
    cacheDir: options.disk,
    bundle: options.bundle,
  });
  client = made;
  events = [];
  /** @param {Record<string, unknown>} event */
  const note = (event) => {
    if (client !== made) return;
    events.push(event);
    onEvent();
  };
  made.on("connect", () => note({ event: "connect" }));
  made.on("disconnect", () => note({ event: "disconnect" }));
  made.on("delete", ({ key }) => note({ event: "delete", key }));
  made.on("error", (error) => note({ event: "error", status: "status" in error ? error.status : null }));
  return note;
}

/** @type {(event: Record<string, unknown>) => void} */
let note = () => undefined;

/** @returns {PromptOpsClient} */
function current() {
  if (client === null) throw new TypeError("no client yet");
  return client;
}

/** @type {Record<string, (command: any) => unknown>} */
const operations = {
  async new(command) {
    note = await renew(command);
    return true;
  },
  get({ key, subject, refresh, default: fallback }) {
    return current().getPrompt(key, options({ subject, refresh, default: fallback }));
  },
  async preload() {
    return (await current().preload()).sort();
  },
  render({ key, variables, subject, strict, default: fallback }) {
    return current().render(key, variables, options({ subject, strict, default: fallback }));
  },
  render_messages({ key, variables, subject, strict, default: fallback }) {
    return current().renderMessages(key, variables, options({ subject, strict, default: fallback }));
  },
  async watch() {
    const tell = note;
    current().on("update", ({ key, prompt }) => tell({ event: "update", key, version: prompt.version }));
    await current().watch();
    return true;
  },
  async close() {
    await client?.close();
    return true;
  },
  async take_events({ count, seconds }) {
    const until = performance.now() + seconds * 1000;
    while (events.length < count && performance.now() < until) await nextEvent(until - performance.now());
    return events.splice(0, count);
  },
  template({ template, variables }) {
    return renderTemplate(template, variables);
  },
  bucket({ salt, subject }) {
    return bucketOf(salt, subject);
  },
};

/** @param {number} milliseconds */
function nextEvent(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    onEvent = () => {
      clearTimeout(timer);
      resolve(undefined);
    };
  });
}

/** @param {Record<string, any>} values */
function options(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

/**
 * @param {any} command
 * @returns {Promise<Record<string, unknown>>}
 */
async function answer({ callers, ...command }) {
  try {
    if (callers === undefined) return { ok: await operations[command.op]?.(command) };
    return { ok: await Promise.all(Array.from({ length: callers }, () => answer(command))) };
  } catch (error) {
    if (error instanceof PromptOpsError) return { error: error.code, message: error.message };
    if (error instanceof TypeError) return { error: "invalid", message: error.message };
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
await operations.close?.({});
