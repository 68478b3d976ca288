import { readFile } from "node:fs/promises";

import { isObject, parseJson, parsePrompt, type Whole } from "./prompts.js";
import { type Warnings, wordsOf } from "./warnings.js";

/** The prompts of a saved snapshot; a file that is none is warned of, and holds nothing. */
export class Bundle {
  #reading: Promise<Map<string, Whole>> | null = null;

  constructor(
    private readonly file: string,
    private readonly environment: string,
    private readonly warnings: Warnings,
  ) {}

  /** Null if it is not in the bundle. */
  async read(key: string): Promise<Whole | null> {
    this.#reading ??= this.#load();
    return (await this.#reading).get(key) ?? null;
  }

  async #load(): Promise<Map<string, Whole>> {
    try {
      const bytes = await readFile(this.file);
      return promptsIn(new TextDecoder("utf-8", { fatal: true }).decode(bytes), this.environment);
    } catch (error) {
      this.warnings.warn("bundle", `the bundle ${this.file} can't be used: ${wordsOf(error)}`);
      return new Map();
    }
  }
}

function promptsIn(text: string, environment: string): Map<string, Whole> {
  const snapshot = parseJson(text);
  const prompts = isObject(snapshot) ? snapshot["prompts"] : null;
  if (!isObject(snapshot) || !Array.isArray(prompts)) {
    throw new Error("it is no snapshot: it has no list 'prompts'");
  }
  if (typeof snapshot["env"] === "string" && snapshot["env"] !== environment) {
    throw new Error(`it is of the environment '${snapshot["env"]}', not '${environment}'`);
  }
  const wholes = prompts.map((each) => parsePrompt(each, ""));
  return new Map(wholes.map((whole) => [whole.served.key, whole]));
}
