import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { isObject, parseJson } from "./json.js";
import { parsePrompt, type Whole } from "./prompts.js";
import { isBefore, revisionIn, type Stamp } from "./revisions.js";
import { type Warnings, wordsOf } from "./warnings.js";

/** A copy from a file. */
export interface Saved {
  readonly whole: Whole;
  readonly stamp: Stamp;
  /** In milliseconds since 1970; null where the file does not say. */
  readonly savedAt: number | null;
}

/**
 * The last known good copies, a file for each; all clients of PromptOps read each other's. A folder
 * that can't be used is warned of, once, and changes nothing else.
 */
export class Disk {
  // What is done to a file is done in order, and of what waits only the newest.
  readonly #doing = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Action>();
  // A snapshot may bring thousands: as many open files would be too many.
  readonly #places = new Places(16);

  constructor(
    private readonly folder: string,
    private readonly server: string,
    private readonly workspace: string,
    private readonly environment: string,
    private readonly warnings: Warnings,
  ) {}

  /** Unless another process has written a newer one. */
  write(key: string, whole: Whole, stamp: Stamp): Promise<void> {
    return this.#inOrder(key, async (file) => {
      // One that is missing or damaged is in nobody's way.
      const there = await savedAs(file, key).catch(() => null);
      if (!there || !isBefore(stamp, there.stamp)) await this.#replace(file, contentOf(whole, stamp));
    });
  }

  /** There is no such prompt any more. */
  remove(key: string): Promise<void> {
    return this.#inOrder(key, (file) => rm(file, { force: true }));
  }

  /** Null if there is none that is whole and right. */
  async read(key: string): Promise<Saved | null> {
    await this.#doing.get(key);
    try {
      return await savedAs(this.#file(key), key);
    } catch (error) {
      this.#warnOfReading(key, error as NodeJS.ErrnoException);
      return null;
    }
  }

  /** All that was begun is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#doing.values());
  }

  /** Resolves when nothing is left to do to this file. */
  #inOrder(key: string, action: Action): Promise<void> {
    this.#next.set(key, action);
    const doing = this.#doing.get(key) ?? this.#work(key);
    this.#doing.set(key, doing);
    return doing;
  }

  async #work(key: string): Promise<void> {
    for (let action = this.#next.get(key); action; action = this.#next.get(key)) {
      this.#next.delete(key);
      await this.#places.take();
      try {
        await action(this.#file(key));
      } catch (error) {
        this.#warnOfFolder(error);
      } finally {
        this.#places.free();
      }
    }
    this.#doing.delete(key);
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

  /** One line for the folder where that can't be used, whatever the number of keys. */
  #warnOfReading(key: string, error: NodeJS.ErrnoException): void {
    if (error.code === "ENOENT") return;
    if (error.syscall) this.#warnOfFolder(error);
    else this.warnings.warn(`disk ${key}`, `the copy of prompt '${key}' on disk is ignored: ${wordsOf(error)}`);
  }

  #warnOfFolder(error: unknown): void {
    this.warnings.warn("disk", `copies can't be kept in ${this.folder}: ${wordsOf(error)}`);
  }

  #file(key: string): string {
    const name = [this.server, this.workspace, this.environment, key].join("\n");
    return path.join(this.folder, `${sha256(name)}.json`);
  }
}

/** So many at a time; the others wait for their turn. */
class Places {
  readonly #waiting: (() => void)[] = [];

  constructor(private left: number) {}

  async take(): Promise<void> {
    if (this.left > 0) this.left -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  free(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.left += 1;
  }
}

type Action = (file: string) => Promise<void>;

function contentOf(whole: Whole, stamp: Stamp): string {
  const head = { sha256: sha256(whole.text), saved_at: new Date().toISOString(), ...stamp };
  const members = JSON.stringify(head, ["sha256", "saved_at", "epoch", "revision"]).slice(0, -1);
  return `${members},"prompt":${whole.text}}`;
}

async function savedAs(file: string, key: string): Promise<Saved> {
  return savedIn(new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file)), key);
}

function savedIn(text: string, key: string): Saved {
  const head = /^\s*\{[^{}]*?"prompt"\s*:\s*/.exec(text);
  const end = text.lastIndexOf("}", text.lastIndexOf("}") - 1);
  const data = parseJson(text);
  if (head === null || !isObject(data)) throw new Error("it is not a saved prompt");
  const prompt = text.slice(head[0].length, end + 1);
  if (sha256(prompt) !== data["sha256"]) throw new Error("it is not what was written");
  const at = typeof data["saved_at"] === "string" ? Date.parse(data["saved_at"]) : NaN;
  return {
    whole: parsePrompt(data["prompt"], prompt, key),
    stamp: {
      revision: revisionIn(data["revision"]),
      epoch: typeof data["epoch"] === "string" ? data["epoch"] : null,
    },
    savedAt: Number.isNaN(at) ? null : at,
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
