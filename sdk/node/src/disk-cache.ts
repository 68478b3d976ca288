import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { isObject, parseJson } from "./json.js";
import { parsePrompt, type FullPrompt } from "./prompts.js";
import { isBefore, revisionIn, type FeedPosition } from "./feed-position.js";
import { type Warnings, messageOf } from "./warnings.js";

/** A copy from a file. */
export interface SavedPrompt {
  readonly fullPrompt: FullPrompt;
  readonly position: FeedPosition;
  /** In milliseconds since 1970; null if the file has none. */
  readonly savedAt: number | null;
}

/**
 * The last known good copies, one file for each prompt; all clients of PromptOps read each other's files. A
 * folder that can't be used causes one warning and no error.
 */
export class DiskCache {
  // Actions on one file run in order; of waiting actions only the newest runs.
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Action>();
  // A snapshot may write thousands of prompts, so limit the number of open files.
  readonly #openFiles = new Semaphore(16);

  constructor(
    private readonly folder: string,
    private readonly server: string,
    private readonly workspace: string,
    private readonly environment: string,
    private readonly warnings: Warnings,
  ) {}

  /** Saves a copy, unless another process has written a newer one. */
  write(key: string, fullPrompt: FullPrompt, position: FeedPosition): Promise<void> {
    return this.#inOrder(key, async (file) => {
      // A missing or damaged copy can be replaced.
      const saved = await savedAs(file, key).catch(() => null);
      if (!saved || !isBefore(position, saved.position)) await this.#replace(file, contentOf(fullPrompt, position));
    });
  }

  /** Deletes the copy of a prompt that does not exist any more. */
  remove(key: string): Promise<void> {
    return this.#inOrder(key, (file) => rm(file, { force: true }));
  }

  /** The copy; null if it is missing or invalid. */
  async read(key: string): Promise<SavedPrompt | null> {
    await this.#running.get(key);
    try {
      return await savedAs(this.#file(key), key);
    } catch (error) {
      this.#warnOfReading(key, error as NodeJS.ErrnoException);
      return null;
    }
  }

  /** Resolves when all actions have finished. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Runs the action after the others of this file; resolves when none is left. */
  #inOrder(key: string, action: Action): Promise<void> {
    this.#next.set(key, action);
    const running = this.#running.get(key) ?? this.#work(key);
    this.#running.set(key, running);
    return running;
  }

  async #work(key: string): Promise<void> {
    for (let action = this.#next.get(key); action; action = this.#next.get(key)) {
      this.#next.delete(key);
      await this.#openFiles.acquire();
      try {
        await action(this.#file(key));
      } catch (error) {
        this.#warnOfFolder(error);
      } finally {
        this.#openFiles.release();
      }
    }
    this.#running.delete(key);
  }

  async #replace(file: string, content: string): Promise<void> {
    const temporary = path.join(this.folder, `.${randomBytes(8).toString("hex")}.tmp`);
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    try {
      await writeFile(temporary, content, { mode: 0o600, flag: "wx" });
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Warns once about an unusable folder, whatever the number of keys. */
  #warnOfReading(key: string, error: NodeJS.ErrnoException): void {
    if (error.code === "ENOENT") return;
    if (error.syscall) this.#warnOfFolder(error);
    else this.warnings.warn(`disk ${key}`, `the copy of prompt '${key}' on disk is ignored: ${messageOf(error)}`);
  }

  #warnOfFolder(error: unknown): void {
    this.warnings.warn("disk", `copies can't be kept in ${this.folder}: ${messageOf(error)}`);
  }

  #file(key: string): string {
    const name = [this.server, this.workspace, this.environment, key].join("\n");
    return path.join(this.folder, `${sha256(name)}.json`);
  }
}

/** Limits the number of concurrent actions. */
class Semaphore {
  readonly #waiting: (() => void)[] = [];

  constructor(private left: number) {}

  async acquire(): Promise<void> {
    if (this.left > 0) this.left -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.left += 1;
  }
}

type Action = (file: string) => Promise<void>;

function contentOf(fullPrompt: FullPrompt, position: FeedPosition): string {
  const head = { sha256: sha256(fullPrompt.text), saved_at: new Date().toISOString(), ...position };
  const members = JSON.stringify(head, ["sha256", "saved_at", "epoch", "revision"]).slice(0, -1);
  return `${members},"prompt":${fullPrompt.text}}`;
}

async function savedAs(file: string, key: string): Promise<SavedPrompt> {
  return savedIn(new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file)), key);
}

function savedIn(text: string, key: string): SavedPrompt {
  const head = /^\s*\{[^{}]*?"prompt"\s*:\s*/.exec(text);
  const end = text.lastIndexOf("}", text.lastIndexOf("}") - 1);
  const data = parseJson(text);
  if (head === null || !isObject(data)) throw new Error("it is not a saved prompt");
  const prompt = text.slice(head[0].length, end + 1);
  if (sha256(prompt) !== data["sha256"]) throw new Error("its checksum is wrong");
  const at = typeof data["saved_at"] === "string" ? Date.parse(data["saved_at"]) : NaN;
  return {
    fullPrompt: parsePrompt(data["prompt"], prompt, key),
    position: {
      revision: revisionIn(data["revision"]),
      epoch: typeof data["epoch"] === "string" ? data["epoch"] : null,
    },
    savedAt: Number.isNaN(at) ? null : at,
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
